# The program shellcheck finds nothing in our scripts.

# shellcheck disable=SC2034
command -v shellcheck >/dev/null || skip="shellcheck is not installed"

# Functions that only a trap calls are not unreachable.
not_ours=SC2317

check() {
	find . \( -name .git -o -name build-aux -o -name autom4te.cache \) -prune -o -type f \
		\( -path './tests/*' -o -path './sql/*' -o -path './packaging/*' -o -path './.ci/*' \) -print |
	sort | while read -r file; do
		case $file in
		*.sh) shellcheck -x -s bash -e "$not_ours" -f gcc "$file" ;;
		*) head -n 1 "$file" | grep -aqE '^#!.*\b(ba)?sh\b' && shellcheck -x -e "$not_ours" -f gcc "$file" ;;
		esac
	done
}

sample_unquoted() {
	printf "#!/bin/sh\\nrm \$1\\n" >tests/run
}
