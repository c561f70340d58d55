/* The files of the two pages: open, check and map them.  What is in force is not known here. */
#ifndef TF_PAGE_FILES_H
#define TF_PAGE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

enum tf_page_state {
  TF_PAGE_OPEN,
  TF_PAGE_ABSENT, /* no such file, or (of use) no such folder */
  TF_PAGE_BAD     /* of another version, of another size, or not to be opened */
};

/* Map ROOT/use/use, which is made where the folder is there and the file is not. */
enum tf_page_state tf_open_use(const char *root, uint64_t now_ns, struct tf_use **use);

/* Map ROOT/ctl/ctl, read-only.  `ctl` comes complete into being, by a rename. */
enum tf_page_state tf_open_ctl(const char *root, const struct tf_ctl **ctl);

/* Whether ROOT/ctl is there: an agent may be about to write into it. */
bool tf_has_ctl_folder(const char *root);

#endif
