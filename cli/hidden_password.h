/* hidden_password.h - passwords in addresses on a command line, which everybody on the machine can read. Pure. */
#pragma once

/* Of each argument that is an address with a password (SCHEME://user:PASSWORD@host, or ?password=PASSWORD) the password is blotted
 * out where the kernel shows it, and argv names a copy that has it, for as long as the process lives. 0 or -ENOMEM. */
int hidden_password_move(int argc, char **argv);
