# Every row of the table in plugin/settings/pgbox-settings.h is in pgbox(7) and in the example
# configurations, with its default where it has one; no other setting is.

table=plugin/settings/pgbox-settings.h
examples='packaging/conf/dovecot-2.3/90-pgbox.conf packaging/conf/dovecot-2.4/90-pgbox.conf'

# Prints "NAME" or "NAME = DEFAULT" for each.
settings() {
	sed -n 's/^ROW(\([A-Z_]*\), *"\([a-z_]*\)", *[a-z_]*, *"\{0,1\}\([^,"]*\)"\{0,1\}, .*/\1 \2 \3/p' $table |
		while read -r type name value; do
			case $type in
			BOOL) [ "$value" = TRUE ] && value=yes || value=no ;;
			ENUM) value=${value%%:*} ;;
			TIME) value=$((value / 24 / 3600))d ;;
			TIME_MSECS) value=$((value / 1000))s ;;
			*) value= ;;
			esac
			echo "$name${value:+ = $value}"
		done
}

# check_setting "NAME = DEFAULT"
check_setting() {
	name=${1%% = *}
	value=${1#"$name"}
	value=${value# = }
	grep -qxE "\.It Va $name( = ${value:-.*})?" packaging/man/pgbox.7 ||
		echo "pgbox.7 does not describe $1"
	for example in $examples; do
		grep -qxE " *#?$name (\{|= ${value:-.*})" "$example" || echo "$example does not have $1"
	done
}

# Names that are documented; those of namespaces are the admin's.
documented() {
	sed -n 's/^\.It Va \(pgbox_[a-z_]*\).*/\1/p' packaging/man/pgbox.7
	# shellcheck disable=SC2086
	sed -n 's/^ *#\{0,1\}\(pgbox_[a-z_]*\) = .*/\1/p' $examples |
		grep -v '^pgbox_account_public$'
}

check() {
	[ -f $table ] || { echo "$table is missing"; return; }
	known=$(settings)
	[ -n "$known" ] || echo "no setting was found in $table"
	while read -r setting; do
		check_setting "$setting"
	done <<<"$known"
	documented | sort -u | while read -r name; do
		grep -q "^$name\( \|\$\)" <<<"$known" || [ "$name" = pgbox_account_ ] ||
			echo "$name is documented, but is no setting"
	done
}

good_tree() {
	mkdir -p plugin/settings packaging/man packaging/conf/dovecot-2.3 packaging/conf/dovecot-2.4
	printf 'ROW(%s, MAIL) \\\n' 'STR, "pgbox_dsn", dsn, ""' \
		'TIME_MSECS,  "pgbox_time",  time_msecs,  5 * 1000' >$table
	printf '%s\n' ".It Va pgbox_dsn" ".It Va pgbox_time = 5s" >packaging/man/pgbox.7
	for example in $examples; do
		printf '%s\n' "pgbox_dsn = x" "#pgbox_time = 5s" >"$example"
	done
	found=$(check)
	[ -z "$found" ]
}

sample_undocumented() {
	good_tree && echo 'ROW(STR, "pgbox_new", new, "", MAIL)' >>$table
}

sample_old_default() {
	good_tree && sed -i 's/5s/6s/' packaging/conf/dovecot-2.4/90-pgbox.conf
}

sample_setting_is_gone() {
	good_tree && echo ".It Va pgbox_old = 1" >>packaging/man/pgbox.7
}
