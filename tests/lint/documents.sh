# What documents name is there: files that they link to, files and functions of
# plugin/README.md. Files of plugin/ say what they do, decisions what became of them.

documents() {
	find . \( -name .git -o -name build-aux -o -name autom4te.cache -o -name '*.libs' \) -prune -o \
		-name '*.md' -print
}

# Prints the anchors of a document's headings, as Git hosts make them.
anchors() {
	sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'
}

check_links() {
	documents | while read -r file; do
		grep -oE '\]\([^) ]+\)' "$file" | sed 's/^](\(.*\))$/\1/' | while read -r link; do
			target=$file
			case $link in
			*://*) continue ;;
			'#'*) ;;
			*) target=$(dirname "$file")/${link%%#*} ;;
			esac
			[ -e "$target" ] || { echo "$file links to $link, which does not exist"; continue; }
			case $link in
			*'#'*) anchors "$target" | grep -qxF -e "${link#*#}" || echo "$file links to $link, which is no heading" ;;
			esac
		done
	done
}

# shellcheck disable=SC2016 # backquotes of Markdown
check_names() {
	[ -f plugin/README.md ] || return
	grep -oE '`pgbox-[a-z0-9-]+\.[ch]`' plugin/README.md | tr -d '`' | sort -u | while read -r file; do
		[ -n "$(find plugin -name "$file")" ] || echo "plugin/README.md names $file, which does not exist"
	done
	grep -oE '`[a-z0-9_]+\(\)' plugin/README.md | tr -d '`)' | sort -u |
		grep -vxF -f <(grep -rhoE --include='*.[ch]' --include='*.sql' '\b[a-z0-9_]+\(' plugin sql | sort -u) |
		sed 's/.*/plugin\/README.md names &), which does not exist/'
}

# A header may leave it to the file that it belongs to.
check_first_lines() {
	find plugin -name '*.[ch]' ! -name pgbox-config.h ! -name pgbox-query-list.h | while read -r file; do
		[ "${file%.h}" = "$file" ] || [ ! -f "${file%.h}.c" ] || continue
		head -n 4 "$file" | grep -q '^/\*' || echo "$file does not begin with what it does"
	done
}

check_decisions() {
	find plugin/decisions -name '*.md' 2>/dev/null | sort | while read -r file; do
		number=$(basename "$file" | grep -oE '^[0-9]{4}-')
		number=${number%-}
		head -n 1 "$file" | grep -q "^# ${number:-number}: " || echo "$file: its title has another number"
		grep -qxE -- '- Date: 20[0-9]{2}-[01][0-9]-[0-3][0-9]' "$file" || echo "$file has no date"
		status=$(sed -n 's/^- Status: //p' "$file")
		case $status in
		accepted) ;;
		'superseded by '[0-9]*|'superseded in part by '[0-9]*)
			successor=$(grep -oE '[0-9]{4}' <<<"$status" | head -n 1)
			ls plugin/decisions/"$successor"-*.md >/dev/null 2>&1 ||
				echo "$file: $status, which does not exist" ;;
		*) echo "$file: status \"$status\"" ;;
		esac
	done
	find plugin/decisions -name '*.md' 2>/dev/null | grep -oE '/[0-9]{4}-' | sort | uniq -d |
		sed 's|^/\(.*\)-|two decisions have the number \1|'
}

check() {
	check_links
	check_names
	check_first_lines
	check_decisions
}

decision() {
	mkdir -p plugin/decisions
	printf '%s\n' "# 0001: A" '' "- Status: $1" "- Date: $2" >plugin/decisions/0001-a.md
	[ -z "$(check)" ] || [ "$1 $2" != 'accepted 2026-11-23' ]
}

sample_link_to_nothing() {
	echo '[map](plugin/MAP.md)' >README.md
}

sample_link_to_no_heading() {
	printf '%s\n' '# The map' '[map](#the-map)' >README.md
	[ -z "$(check)" ] && echo '[roads](#the-roads)' >>README.md
}

sample_named_file_is_gone() {
	# shellcheck disable=SC2016
	echo '`pgbox-mail.c` reads mails' >plugin/README.md
}

sample_named_function_is_gone() {
	echo '/* Knows a_mail_read(). */' >plugin/pgbox-mail.c
	# shellcheck disable=SC2016
	echo '`mail_read()`' >plugin/README.md
}

sample_file_without_a_word() {
	echo 'int a;' >plugin/pgbox-mail.c
}

sample_decision_without_a_date() {
	decision accepted 2026-11-23 && decision accepted soon
}

sample_decision_superseded_by_nothing() {
	decision accepted 2026-11-23 && decision 'superseded by 0002' 2026-11-23
}
