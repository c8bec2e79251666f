// libevent for Swift. <features.h> comes first: event-config.h defines _GNU_SOURCE, and Glibc's module must
// not see its headers under two different feature sets.
#pragma once
#include <features.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
