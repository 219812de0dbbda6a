# Every setting of plugin/pgbox-settings-names.h is in README.md, in pgbox(7) and in
# the example configurations, with its default where it has one; no other one is.
# The defaults of Dovecot 2.4 in pgbox-settings-info.c are the same.

names=plugin/pgbox-settings-names.h
info=plugin/pgbox-settings-info.c
examples='packaging/conf/dovecot-2.3/90-pgbox.conf packaging/conf/dovecot-2.4/90-pgbox.conf'

# Prints "NAME" or "NAME = DEFAULT" for each.
settings() {
	awk '/^#define PGBOX_SETTING_/ { name[substr($2, 15)] = $3 }
		/^#define PGBOX_DEFAULT_/ { value[substr($2, 15)] = $3 }
		END { for (key in name) print name[key] (key in value ? " = " value[key] : "") }' \
		$names | tr -d '"' | sort
}

# check_setting "NAME = DEFAULT"
check_setting() {
	name=${1%% = *}
	value=${1#"$name"}
	value=${value# = }
	grep -qE "^\| \`$name\` \| ${value:-[^|]*} \|" README.md ||
		echo "README.md has no row of $1"
	grep -qxE "\.It Va $name( = ${value:-.*})?" packaging/man/pgbox.7 ||
		echo "pgbox.7 does not describe $1"
	for example in $examples; do
		grep -qxE " *#?$name (\{|= ${value:-.*})" "$example" || echo "$example does not have $1"
	done
	case $value in
	*s) number="_msecs = ${value%s} \* 1000" ;;
	*d) number="_secs = ${value%d} \* 24 \* 3600" ;;
	*) return ;;
	esac
	grep -qxE "[[:space:]]*\.${name#pgbox_}$number," $info || echo "$info has another default of $1"
}

# Names that are documented; those of namespaces are the admin's.
# shellcheck disable=SC2016 # backquotes of Markdown
documented() {
	sed -n 's/^| `\(pgbox_[a-z_]*\)` |.*/\1/p' README.md
	sed -n 's/^\.It Va \(pgbox_[a-z_]*\).*/\1/p' packaging/man/pgbox.7
	# shellcheck disable=SC2086
	sed -n 's/^ *#\{0,1\}\(pgbox_[a-z_]*\) = .*/\1/p' $examples |
		grep -v '^pgbox_account_public$'
}

check() {
	[ -f $names ] || { echo "$names is missing"; return; }
	known=$(settings)
	[ -n "$known" ] || echo "no setting was found in $names"
	while read -r setting; do
		check_setting "$setting"
	done <<<"$known"
	documented | sort -u | while read -r name; do
		grep -q "^$name\( \|\$\)" <<<"$known" || [ "$name" = pgbox_account_ ] ||
			echo "$name is documented, but is no setting"
	done
}

good_tree() {
	mkdir -p packaging/man packaging/conf/dovecot-2.3 packaging/conf/dovecot-2.4
	cat >$names <<-'C'
		#define PGBOX_SETTING_DSN "pgbox_dsn"
		#define PGBOX_SETTING_TIME "pgbox_time"
		#define PGBOX_DEFAULT_TIME "5s"
	C
	printf '%s\n' "| \`pgbox_dsn\` | none | |" "| \`pgbox_time\` | 5s | |" >README.md
	printf '%s\n' ".It Va pgbox_dsn" ".It Va pgbox_time = 5s" >packaging/man/pgbox.7
	for example in $examples; do
		printf '%s\n' "pgbox_dsn = x" "#pgbox_time = 5s" >"$example"
	done
	echo "	.time_msecs = 5 * 1000," >$info
	found=$(check)
	[ -z "$found" ]
}

sample_undocumented() {
	good_tree && echo '#define PGBOX_SETTING_NEW "pgbox_new"' >>$names
}

sample_old_default() {
	good_tree && sed -i 's/5s/6s/' packaging/conf/dovecot-2.4/90-pgbox.conf
}

sample_other_default_in_24() {
	good_tree && sed -i 's/5 /6 /' $info
}

sample_setting_is_gone() {
	good_tree && echo "| \`pgbox_old\` | 1 | |" >>README.md
}
