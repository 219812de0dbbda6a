# Migrations are numbered without gaps from 2 to schema-version, and those in
# SHA256SUMS, the released ones, are never edited again. All are listed.

check() {
	[ -f sql/schema-version ] || { echo "sql/schema-version is missing"; return; }
	version=$(cat sql/schema-version)
	expected=1
	for file in sql/migrate/[0-9][0-9][0-9][0-9]-*.sql; do
		[ -f "$file" ] || continue
		expected=$((expected + 1))
		number=${file#sql/migrate/}
		number=${number%%-*}
		[ "$number" = "$(printf '%04d' $expected)" ] ||
			echo "$file: expected number $(printf '%04d' $expected)"
		grep -qs "  ${file##*/}\$" sql/migrate/SHA256SUMS ||
			echo "$file is not in sql/migrate/SHA256SUMS"
	done
	[ "$version" = "$expected" ] ||
		echo "sql/schema-version says $version, the last migration is $expected"
	[ ! -f sql/migrate/SHA256SUMS ] ||
		(cd sql/migrate && sha256sum -c --quiet SHA256SUMS 2>&1)
}

sample_edited_migration() {
	mkdir sql/migrate
	echo 2 >sql/schema-version
	echo 'select 1;' >sql/migrate/0002-a.sql
	(cd sql/migrate && sha256sum 0002-a.sql >SHA256SUMS)
	echo 'select 2;' >sql/migrate/0002-a.sql
}

sample_gap() {
	mkdir sql/migrate
	echo 3 >sql/schema-version
	echo 'select 1;' >sql/migrate/0003-a.sql
	(cd sql/migrate && sha256sum 0003-a.sql >SHA256SUMS)
}

sample_version_not_raised() {
	mkdir sql/migrate
	echo 1 >sql/schema-version
	echo 'select 1;' >sql/migrate/0002-a.sql
	(cd sql/migrate && sha256sum 0002-a.sql >SHA256SUMS)
}
