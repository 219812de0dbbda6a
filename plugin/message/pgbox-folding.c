/* A checksum of the Unicode tables of this Dovecot. Knows nothing of what is
   folded with them. */

#include "lib.h"
#include "str.h"
#include "crc32.h"
#include "unichar.h"
#include "pgbox-folding.h"

/* To be raised when what is stored is made in another way from the same
   folding. */
#define TEXT_FORMAT "1"

/* Where characters have cases, are composed of others or stand for them, in any
   version of Unicode so far. Hangul is composed by rules, not by tables. */
static const struct {
	unichar_t first, last;
} foldable[] = {
	{ 0x0020, 0x2fff },
	{ 0x3000, 0x33ff },
	{ 0xa640, 0xabff },
	{ 0xf900, 0xfffd },
	{ 0x10400, 0x10fff },
	{ 0x11000, 0x119ff },
	{ 0x16e00, 0x16eff },
	{ 0x1d100, 0x1d7ff },
	{ 0x1e900, 0x1e9ff },
	{ 0x1ee00, 0x1f2ff },
	{ 0x2f800, 0x2fa1f },
};

static uint32_t
crc32_more_folded(uint32_t crc, unichar_t first, unichar_t last)
{
	string_t *chars = t_str_new(4096), *folded = t_str_new(8192);
	unichar_t chr;

	for (chr = first; chr <= last; chr++)
		uni_ucs4_to_utf8_c(chr, chars);
	(void)uni_utf8_to_decomposed_titlecase(str_data(chars), str_len(chars),
					       folded);
	return crc32_data_more(crc, str_data(folded), str_len(folded));
}

static uint32_t folding_compute(void)
{
	uint32_t crc = crc32_str(TEXT_FORMAT);
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(foldable); i++) T_BEGIN {
		crc = crc32_more_folded(crc, foldable[i].first,
					foldable[i].last);
	} T_END;
	return crc;
}

int32_t pgbox_folding_get(void)
{
	static bool computed = FALSE;
	static int32_t folding;

	if (!computed) {
		folding = (int32_t)folding_compute();
		computed = TRUE;
	}
	return folding;
}
