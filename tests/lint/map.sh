# Every file of plugin/ is on the map in plugin/README.md, and no other.

check() {
	[ -f plugin/README.md ] || { echo "plugin/README.md is missing"; return; }
	find plugin -maxdepth 1 -type f \( -name '*.[ch]' -o -name '*.h.in' \) \
		! -name pgbox-config.h ! -name pgbox-query-list.h | while read -r file; do
		grep -qF "$(basename "$file")" plugin/README.md ||
			echo "plugin/README.md does not name $(basename "$file")"
	done
	grep -oE '\b(pgbox|doveadm)-[a-z0-9-]+\.(c|h)\b' plugin/README.md | sort -u | while read -r file; do
		case $file in
		pgbox-query-list.h|pgbox-config.h) continue ;;
		esac
		[ -f "plugin/$file" ] || echo "plugin/README.md names $file, which does not exist"
	done
}

sample_unnamed_file() {
	echo '# map' >plugin/README.md
	echo 'int a;' >plugin/pgbox-mail.c
}

sample_named_file_is_gone() {
	echo 'pgbox-mail.c: reads mails' >plugin/README.md
}
