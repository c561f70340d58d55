/* Kubernetes quantities, exactly: the limits of the environment are annotations as they were written.
 *
 * The grammar is that of k8s.io/apimachinery/pkg/api/resource, without a sign.  Rounded up, as there.
 */
#include "pages.h"

#include <stddef.h>
#include <string.h>

__extension__ typedef unsigned __int128 tf_wide;

#define MOST_DIGITS 19 /* fit in 64 bits */
#define MOST_EXPONENT 40

struct number {
  uint64_t digits;
  int count;    /* of significant digits */
  int exponent; /* of ten */
};

/* Read "12", "12.5" or ".5"; NULL: there is no digit, or there are too many. */
static const char *read_number(const char *text, struct number *number) {
  bool is_fraction = false;
  bool has_digit = false;
  *number = (struct number){0};
  for (;; text++) {
    if (*text == '.' && !is_fraction) {
      is_fraction = true;
      continue;
    }
    if (*text < '0' || *text > '9') {
      return has_digit ? text : NULL;
    }
    has_digit = true;
    number->count += number->digits != 0 || *text != '0';
    if (number->count > MOST_DIGITS) {
      return NULL;
    }
    number->digits = number->digits * 10 + (uint64_t)(*text - '0');
    number->exponent -= is_fraction;
  }
}

/* Read "e3" or "E-3" to the end of the text. */
static bool read_exponent(const char *text, int *exponent) {
  int value = 0;
  bool is_negative = text[1] == '-';
  const char *digit = text + 1 + (text[1] == '-' || text[1] == '+');
  if (*digit == '\0') {
    return false;
  }
  for (; *digit != '\0'; digit++) {
    if (*digit < '0' || *digit > '9') {
      return false;
    }
    if (value < MOST_EXPONENT) {
      value = value * 10 + (*digit - '0');
    }
  }
  *exponent += is_negative ? -value : value;
  return true;
}

/* Read what follows the digits: nothing, a suffix or an exponent. */
static bool read_suffix(const char *text, int *exponent, unsigned *power_of_two) {
  static const char LARGE[] = "kMGTPE";
  static const char SMALL[] = "num";
  const char *found;
  if (*text == '\0') {
    return true;
  }
  if ((*text == 'e' || *text == 'E') && text[1] != '\0' && text[1] != 'i') {
    return read_exponent(text, exponent);
  }
  if (text[1] == 'i' && text[2] == '\0') {
    found = *text == 'K' ? LARGE : strchr(LARGE + 1, *text);
    if (found != NULL) {
      *power_of_two = 10u * (unsigned)(found - LARGE + 1);
    }
    return found != NULL;
  }
  if (text[1] != '\0') {
    return false;
  }
  if ((found = strchr(LARGE, *text)) != NULL) {
    *exponent += 3 * (int)(found - LARGE + 1);
  } else if ((found = strchr(SMALL, *text)) != NULL) {
    *exponent += 3 * (int)(found - SMALL) - 9;
  }
  return found != NULL;
}

bool tf_parse_quantity(const char *text, uint64_t scale, uint64_t *value) {
  struct number number;
  unsigned power_of_two = 0;
  tf_wide wide;
  bool is_inexact = false;
  text = text == NULL ? NULL : read_number(text, &number);
  if (text == NULL || !read_suffix(text, &number.exponent, &power_of_two)) {
    return false;
  }
  wide = (tf_wide)number.digits << power_of_two; /* at most 124 bits */
  if (scale != 0 && wide > ~(tf_wide)0 / scale) {
    /* Of no use as a limit, but with digits after the point it need not be as large as it looks. */
    *value = UINT64_MAX;
    return number.exponent >= 0;
  }
  wide *= scale;
  for (; number.exponent > 0 && wide != 0 && wide <= UINT64_MAX; number.exponent--) {
    wide *= 10;
  }
  for (; number.exponent < 0 && wide != 0; number.exponent++) {
    is_inexact |= wide % 10 != 0;
    wide /= 10;
  }
  if (is_inexact && wide <= UINT64_MAX) {
    wide++;
  }
  *value = wide > UINT64_MAX ? UINT64_MAX : (uint64_t)wide;
  return true;
}
