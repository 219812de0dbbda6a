# The libraries that packaging/packages/build names are build dependencies of
# the Debian package.

check() {
	[ -s packaging/packages/build ] || echo "packaging/packages/build is missing"
	grep -h -- '-dev$' packaging/packages/build | while read -r package; do
		awk '/^[^ ]/ { wanted = /^Build-Depends:/ } wanted' packaging/debian/control |
			grep -qE "[ ,]$package( |,|\$)" ||
			echo "packaging/debian/control does not need $package"
	done
}

sample_library_not_named() {
	mkdir -p packaging/packages packaging/debian
	echo libpq-dev >packaging/packages/build
	printf '%s\n' 'Build-Depends: libzstd-dev,' '  libc-dev' 'Depends: libpq-dev' >packaging/debian/control
}
