#include "edge/rights.h"
#include "runtime/keyring.h"

const struct key_holder *rights_of(const struct keyring *keyring, const char *user_id)
{
	static const struct key_holder nobody = {.name = ""};

	if (keyring == NULL) {
		return NULL;
	}
	const struct key_holder *holder = keyring_find(keyring, user_id);
	return holder != NULL ? holder : &nobody;
}

bool rights_allow_sending(const struct key_holder *sender)
{
	return sender == NULL || sender->sends;
}

bool rights_are_of_producers(const struct key_holder *sender)
{
	return sender != NULL && sender->producers != NULL && !key_list_has_all(sender->producers);
}

/* A frame without a number is nobody's, and so none of theirs. */
bool rights_allow_producer(const struct key_holder *sender, struct slice producer)
{
	return !rights_are_of_producers(sender) ||
	       (producer.size > 0 &&
		       key_list_has(sender->producers, producer.bytes, producer.size));
}

bool rights_allow_kind(const struct key_holder *sender, enum kind kind)
{
	const char *name = kind_name(kind);

	return sender == NULL || sender->kinds == NULL ||
	       key_list_has(sender->kinds, name, strlen(name));
}
