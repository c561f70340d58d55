/* The driver as the meter wants it, over the real functions. */
#ifndef TF_REAL_DRIVER_H
#define TF_REAL_DRIVER_H

#include "driver.h"

extern const struct tf_driver tf_real_driver;

#endif
