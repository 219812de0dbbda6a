# Every header compiles alone, with the flags of its folder. LINT_COMPILE is the
# compiler, LINT_FOLDER the flags, in the directory LINT_BUILD.

# shellcheck disable=SC2034
[ -n "${LINT_COMPILE:-}" ] || skip="needs LINT_COMPILE, which make check sets"

check() {
	for file in plugin/*/*.h; do
		case ${file##*/} in
		pgbox-config.h|pgbox-query-list.h|'*.h') continue ;;
		esac
		folder=${file#plugin/}
		flags=LINT_${folder%/*}
		# shellcheck disable=SC2086 # many flags
		printf '#include "pgbox-config.h"\n#include "lib.h"\n#include "%s"\n' "$PWD/$file" |
			(cd "$LINT_BUILD" && $LINT_COMPILE ${!flags-} -fsyntax-only -Werror -x c - 2>&1) | head -n 5
	done
}

sample_header_needs_another() {
	mkdir plugin/storage
	printf 'struct pgbox_mail { struct pgbox_uid uid; };\n' >plugin/storage/pgbox-mail.h
}
