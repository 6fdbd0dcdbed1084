# deploy/views.conf as a C array. ASCII only; an array, for string literals may not be longer than 4,095 bytes.
BEGIN {
	print "#include \"aggregator/view/view.h\""
	print "const char *view_shipped_text(void)\n{\n\tstatic const char text[] = {"
}
{
	line = ""
	for (i = 1; i <= length($0); i++) {
		c = substr($0, i, 1)
		if (c == "\t") {
			c = "\\t"
		} else if (c == "'" || c == "\\") {
			c = "\\" c
		}
		line = line "'" c "',"
	}
	print line "'\\n',"
}
END {
	print "0};\n\treturn text;\n}"
}
