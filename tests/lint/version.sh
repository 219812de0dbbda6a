# configure.ac, pgbox-schema and NEWS agree on the version.

check() {
	configured=$(sed -n 's/^AC_INIT(\[pgbox\],\[\([^]]*\)\].*/\1/p' configure.ac)
	script=$(sed -n 's/^pgbox_version=//p' sql/pgbox-schema)
	news=$(sed -n '1s/^v\([^ ]*\) .*/\1/p' NEWS)
	[ -n "$configured" ] || echo "configure.ac has no version"
	[ "$script" = "$configured" ] || echo "sql/pgbox-schema: $script, configure.ac: $configured"
	[ "$news" = "$configured" ] || echo "NEWS: $news, configure.ac: $configured"
}

sample_old_script() {
	echo 'AC_INIT([pgbox],[2.0])' >configure.ac
	echo 'pgbox_version=1.0' >sql/pgbox-schema
	echo 'v2.0 2000-01-01' >NEWS
}

sample_old_news() {
	echo 'AC_INIT([pgbox],[2.0])' >configure.ac
	echo 'pgbox_version=2.0' >sql/pgbox-schema
	echo 'v1.0 2000-01-01' >NEWS
}
