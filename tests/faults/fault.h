/* The control file of the fault shim: 4 KiB, mapped by the program under test and by the test. C and C++. */
#pragma once

#include <stdint.h>

#define SIDEGATE_FAULT_SIZE 4096

struct sidegate_fault {
  char prefix[1024];              /* paths that begin with it are meant */
  char contains[64];              /* and that contain this: ".log" is RocksDB's write-ahead log; empty: all */
  volatile int32_t sync_errno;    /* fsync, fdatasync, sync_file_range answer this (EIO, ENOSPC); 0: they work */
  volatile int32_t write_errno;   /* write, pwrite, writev, pwritev, fallocate */
  volatile int32_t open_errno;    /* open for writing */
  volatile int32_t sync_stall_ms; /* they take so much longer */
  volatile int32_t write_stall_ms;
  volatile int32_t count; /* > 0: the errors above end after so many; 0: until they are set to 0 */
  /* Counters of the shim. */
  volatile int64_t syncs, writes, failed;
  volatile int64_t syncs_after_failure; /* a sync of a file whose sync had failed before: must stay 0 */
};
