# What the source asks of configure is in plugin/base/pgbox-config.h.in, which is
# written by hand: a macro that is missing there is never defined.

check() {
	[ -f plugin/base/pgbox-config.h.in ] || echo "plugin/base/pgbox-config.h.in is missing"
	grep -rhE --include='*.[ch]' '^# *(el)?if' plugin | grep -oE '\bHAVE_[A-Z0-9_]+' | sort -u | while read -r name; do
		grep -q "^#undef $name\$" plugin/base/pgbox-config.h.in ||
			echo "plugin/base/pgbox-config.h.in does not have $name"
	done
}

sample_macro_is_missing() {
	mkdir plugin/base
	echo '#undef HAVE_ONE' >plugin/base/pgbox-config.h.in
	printf '#ifdef HAVE_TWO\n#endif\n' >plugin/base/a.h
}
