/* view_where.h - operands and conditions in declarations: `quantity < 0 and channel = "web"`. Pure. */
#pragma once
#include "aggregator/view/view_scan.h"

/* Reads the operand at the current token: a field, quantity * unit_price, revenue, edge, basket. 0 or -EINVAL. */
int parse_operand(struct scanner *scanner, const struct view *view, struct operand *ret_operand);
/* Do events of one of the view's kinds have this field? 0, or -EINVAL with the sentence. */
int check_field(struct scanner *scanner, const struct view *view, const char *name);
/* Reads conditions, with `and` between them, up to the end or a comma, into the view's list. 0 or -EINVAL. */
int parse_where(struct scanner *scanner, struct view *view, struct condition_range *ret_where);
void write_where(const struct view *view, struct condition_range where, struct buffer *text);
