#define _GNU_SOURCE
#include "CIntrinsics.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool ci_barrier_in_all_threads(void) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return true;
    // A process must have registered for it once.
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0
        && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}
