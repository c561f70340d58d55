/* Which device of the driver is which GPU of the pod. */
#ifndef TF_DEVICES_H
#define TF_DEVICES_H

#include "driver.h"

/* Index in the pages of a device, asked of the driver each time; -1: it is not the pod's, or the driver
 * does not say. */
int tf_device_index(CUdevice device);

#endif
