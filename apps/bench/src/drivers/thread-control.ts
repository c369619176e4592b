/** Words that device and driver thread share beside the ring: 32-bit counts that wrap, and one double after them. */
export const CONTROL_BYTES = 64
/** Packets that the driver may publish in all. Written by the device. */
export const DRIVER_BUDGET = 0
/** Packets that came back in all. Written by the driver. */
export const DRIVER_RETURNED = 1
/** The driver runs. */
export const DRIVER_READY = 2
/** The driver is to end once its budget is used. */
export const DRIVER_STOP = 3
/** Byte offset of the sum of ids that came back, a double. */
export const ID_SUM_OFFSET = 32
