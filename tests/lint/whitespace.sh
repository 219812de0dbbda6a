# No trailing space, no CR, a newline at the end; C is indented with tabs,
# SQL and Python with spaces.

text_files() {
	find . \( -name .git -o -name build-aux -o -name autom4te.cache -o -name __pycache__ \
			-o -name '*.libs' -o -name .deps \) -prune -o -type f \
		\( -name '*.[ch]' -o -name '*.h.in' -o -name '*.sql' -o -name '*.spec' -o -name '*.py' \
		-o -name '*.sh' -o -name '*.awk' -o -name '*.md' -o -name 'Makefile.am' -o -name 'configure.ac' \
		-o -path './tests/run' -o -path './sql/pgbox-schema' -o -path './packaging/quickstart' \) \
		! -name 'dummy-config.h*' ! -name pgbox-query-list.h ! -name pgbox-config.h -print
}

tab=$(printf '\t')

check() {
	text_files | sort | while read -r file; do
		grep -nH "[ $tab]\$" "$file" | sed 's/:[^:]*$/: trailing space/'
		grep -nH "$(printf '\r')" "$file" | sed 's/:[^:]*$/: carriage return/'
		[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo "$file: no newline at the end"
		case $file in
		*.c|*.h)
			grep -nHE "^ {8}|^$tab* +$tab" "$file" | sed 's/:[^:]*$/: indented with spaces/' ;;
		*.sql|*.py)
			grep -nH "$tab" "$file" | sed 's/:[^:]*$/: tab/' ;;
		esac
	done
}

sample_trailing_space() {
	printf 'int a; \n' >plugin/a.c
}

sample_no_final_newline() {
	printf 'int a;' >plugin/a.c
}

sample_spaces_in_c() {
	printf 'int a(void)\n{\n        return 0;\n}\n' >plugin/a.c
}

sample_tab_in_sql() {
	printf 'select\n\t1;\n' >sql/a.sql
}
