# Files stay below 800 lines, C functions below 100.

MAX_FILE_LINES=800
MAX_FUNCTION_LINES=100

# shellcheck disable=SC2034
command -v ctags >/dev/null || skip="universal-ctags is not installed"

check() {
	find plugin sql tests -type f ! -name pgbox-query-list.h \( -name '*.[ch]' -o -name '*.sql' -o -name '*.py' \
		-o -name '*.sh' -o -name run -o -name pgbox-schema \) | sort | while read -r file; do
		lines=$(wc -l <"$file")
		[ "$lines" -le $MAX_FILE_LINES ] || echo "$file: $lines lines"
	done
	find plugin tests -name '*.c' -exec \
		ctags -f - --languages=C --kinds-C=f --fields=+ne --sort=no {} + |
	awk -F '\t' -v max=$MAX_FUNCTION_LINES '{
		line = end = 0
		for (i = 4; i <= NF; i++) {
			if ($i ~ /^line:/) line = substr($i, 6)
			if ($i ~ /^end:/) end = substr($i, 5)
		}
		if (end - line + 1 > max) print $2 ": " $1 "() has " end - line + 1 " lines"
	}'
}

sample_long_function() {
	{ printf 'int a(void)\n{\n'; yes '	;' | head -n 99; printf '}\n'; } >plugin/a.c
}

sample_long_file() {
	yes ';' | head -n 801 >plugin/a.h
}
