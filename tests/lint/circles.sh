# No files of plugin/ call each other in a circle, but for three pairs. LINT_COMPILE is
# the compiler. A function that is only named, as in a vtable, is not called.

# shellcheck disable=SC2034
[ -n "${LINT_COMPILE:-}" ] || skip="needs LINT_COMPILE, which make check sets"
# shellcheck disable=SC2034
command -v ctags >/dev/null || skip="universal-ctags is not installed"

# CALLER CALLED: the call of each pair that goes up
pairs='plugin/settings/pgbox-settings-get.c plugin/settings/pgbox-settings.c
plugin/settings/pgbox-settings-strings.c plugin/settings/pgbox-settings.c
plugin/storage/pgbox-list-path.c plugin/storage/pgbox-list.c
plugin/storage/pgbox-copy.c plugin/storage/pgbox-save.c'

# Prints CALLER CALLED for each; a definition is not indented.
# shellcheck disable=SC2016
calls_of='
FNR == NR { home[$1] = $2; next }
/^#FILE / { file = $2; next }
/^[ \t]/ {
	while (match($0, /[a-z0-9_]+\(/)) {
		name = substr($0, RSTART, RLENGTH - 1)
		if (name in home && home[name] != file) print file, home[name]
		$0 = substr($0, RSTART + RLENGTH)
	}
}'

without_comments() {
	for file; do
		echo "#FILE $file"
		$LINT_COMPILE -fpreprocessed -dD -E -P "$file" 2>/dev/null
	done
}

check() {
	mapfile -t files < <(find plugin -name '*.c' | sort)
	[ ${#files[@]} -gt 0 ] || return
	awk "$calls_of" <(ctags -f - --languages=C --kinds-C=f --sort=no "${files[@]}" |
		awk -F '\t' '!/\tfile:/ { print $1, $2 }') <(without_comments "${files[@]}") |
		sort -u | grep -vxF "$pairs" | { tsort >/dev/null; } 2>&1
}

sample_circle_of_three() {
	mkdir plugin/storage
	for n in 1 2 3; do
		printf 'int f%s(void)\n{\n\treturn f%s();\n}\n' $n $((n % 3 + 1)) >plugin/storage/pgbox-f$n.c
	done
}
