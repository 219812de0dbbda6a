# configure.ac, pgbox-schema, NEWS and the packages agree on the version.

check() {
	configured=$(sed -n 's/^AC_INIT(\[pgbox\],\[\([^]]*\)\].*/\1/p' configure.ac)
	script=$(sed -n 's/^pgbox_version=//p' sql/pgbox-schema)
	news=$(sed -n '1s/^v\([^ ]*\) .*/\1/p' NEWS)
	debian=$(sed -n '1s/^pgbox (\(.*\)-[^-]*) .*/\1/p' packaging/debian/changelog)
	spec=$(sed -n 's/^Version: *//p' packaging/rpm/dovecot-pgbox.spec)
	[ -n "$configured" ] || echo "configure.ac has no version"
	[ "$script" = "$configured" ] || echo "sql/pgbox-schema: $script, configure.ac: $configured"
	[ "$news" = "$configured" ] || echo "NEWS: $news, configure.ac: $configured"
	[ "$debian" = "$configured" ] || echo "packaging/debian: $debian, configure.ac: $configured"
	[ "$spec" = "$configured" ] || echo "packaging/rpm: $spec, configure.ac: $configured"
}

good_tree() {
	mkdir -p packaging/debian packaging/rpm
	echo 'AC_INIT([pgbox],[2.0])' >configure.ac
	echo 'pgbox_version=2.0' >sql/pgbox-schema
	echo 'v2.0 2000-01-01' >NEWS
	echo 'pgbox (2.0-1) unstable; urgency=medium' >packaging/debian/changelog
	echo 'Version: 2.0' >packaging/rpm/dovecot-pgbox.spec
	found=$(check)
	[ -z "$found" ]
}

sample_old_script() {
	good_tree && echo 'pgbox_version=1.0' >sql/pgbox-schema
}

sample_old_news() {
	good_tree && echo 'v1.0 2000-01-01' >NEWS
}

sample_old_debian_package() {
	good_tree && sed -i s/2.0/1.0/ packaging/debian/changelog
}

sample_old_rpm_package() {
	good_tree && sed -i s/2.0/1.0/ packaging/rpm/dovecot-pgbox.spec
}
