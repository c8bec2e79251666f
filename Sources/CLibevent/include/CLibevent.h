// libevent for Swift. <features.h> comes first: event-config.h defines _GNU_SOURCE, and Glibc's module must
// not see its headers under two different feature sets.
#pragma once
#include <features.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
