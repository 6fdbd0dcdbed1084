/* commands.h - the commands of till. Each parses its own arguments (argv[0] is its name), prints data on stdout and
 * messages on stderr, and returns the exit code: 0 done, 1 refused or failed, 2 usage, 3 peer not reached. */
#pragma once

int command_bands(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_dlq(int argc, char **argv);
int command_forget(int argc, char **argv);
int command_keygen(int argc, char **argv);
int command_load(int argc, char **argv);
int command_quarantine(int argc, char **argv);
int command_ledger(int argc, char **argv);
int command_monitor(int argc, char **argv);
int command_query(int argc, char **argv);
int command_reconcile(int argc, char **argv);
int command_scan(int argc, char **argv);
int command_send(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_spool(int argc, char **argv);
int command_staged(int argc, char **argv);
int command_status(int argc, char **argv);
int command_tail(int argc, char **argv);
int command_top(int argc, char **argv);
int command_track(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_watch(int argc, char **argv);
