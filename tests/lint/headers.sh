# Every header compiles alone. LINT_COMPILE is the compiler with its flags.

# shellcheck disable=SC2034
[ -n "${LINT_COMPILE:-}" ] || skip="needs LINT_COMPILE, which make check sets"

check() {
	for file in plugin/*.h; do
		case ${file##*/} in
		pgbox-config.h|pgbox-query-list.h|'*.h') continue ;;
		esac
		printf '#include "pgbox-config.h"\n#include "lib.h"\n#include "%s"\n' "$file" |
			$LINT_COMPILE -I. -fsyntax-only -Werror -x c - 2>&1 | head -n 5
	done
}

sample_header_needs_another() {
	printf 'struct pgbox_mail { struct pgbox_uid uid; };\n' >plugin/pgbox-mail.h
}
