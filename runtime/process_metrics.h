/* process_metrics.h - what Prometheus expects of every process: memory, CPU time, open files, start time; and the version. */
#pragma once
#include <stdio.h>

/* Reads /proc/self and writes the samples; what can't be read is left out. */
void process_metrics_write(FILE *out);
