// Where unsafe code may stand, file by file, and why it has to. A file that starts or stops using a construct
// has to change its row here, so that the change is seen.

import Foundation

enum UnsafeCode {
    enum Construct: String, CaseIterable {
        case pointer = "Unsafe…Pointer"
        case unmanaged = "Unmanaged"
        case uncheckedSendable = "@unchecked Sendable"
        case unsafeStatic = "nonisolated(unsafe)"

        /// Whether the code of a line, its comment left out, uses it.
        func appears(in line: String) -> Bool {
            let code = line.components(separatedBy: "//")[0]
            switch self {
            case .pointer: return code.contains(#/Unsafe\w*Pointer\b/#)
            case .unmanaged: return code.contains(#/\bUnmanaged\b/#)
            case .uncheckedSendable: return code.contains("@unchecked Sendable")
            case .unsafeStatic: return code.contains("nonisolated(unsafe)")
            }
        }
    }

    struct Row {
        let constructs: Set<Construct>
        let reason: String
        init(_ constructs: Set<Construct>, _ reason: String) {
            self.constructs = constructs
            self.reason = reason
        }
    }

    /// Files that see libevent's own names.
    static let importersOfLibevent = [
        "EventLoop.swift": "the one Swift face of libevent",
        "CommandLine.swift": "getopt_long by the same shim",
        "Listener.swift": "accept4 and socket macros by the same shim",
        "Acceptor.swift": "accept4 by the same shim",
        "HTTPServer.swift": "evhttp, for this file only",
    ]

    /// Files that see OpenSSL.
    static let importersOfOpenSSL = [
        "TLSContext.swift": "certificates and what all connections share",
        "TLSStream.swift": "one connection",
    ]

    static let table: [String: Row] = [
        // LarderServer
        "LarderServer/Acceptor.swift": Row(
            [.pointer, .unmanaged],
            "the accept callback recovers its acceptor from libevent's argument"),
        "LarderServer/Addresses.swift": Row(
            [.pointer],
            "sockaddr_storage is read as the address family says"),
        "LarderServer/CommandLine.swift": Row(
            [.pointer, .uncheckedSendable],
            "getopt_long takes C strings; its table of names is made once and only read"),
        "LarderServer/Connection+Input.swift": Row(
            [.pointer],
            "input buffers and the connection's kept bytes are plain memory"),
        "LarderServer/Connection+Output.swift": Row(
            [.pointer],
            "replies are written from the worker's buffer by iovec"),
        "LarderServer/Connection+TLS.swift": Row(
            [.pointer],
            "what a connection has for TLS lies behind it in its block; records pass in place"),
        "LarderServer/Connection.swift": Row(
            [.pointer],
            "a connection is a block of checked memory whose address libevent holds"),
        "LarderServer/ConnectionTable.swift": Row(
            [.pointer, .uncheckedSendable],
            "one atomic word per descriptor, shared by all threads"),
        "LarderServer/Conversation.swift": Row(
            [.pointer],
            "a block of checked memory a connection owns for as long as it is in the middle of something"),
        "LarderServer/Datagrams.swift": Row(
            [.pointer],
            "datagram buffers are plain memory handed to recvmsg and sendmsg"),
        "LarderServer/EventLoop.swift": Row(
            [.pointer, .uncheckedSendable],
            "libevent's base and events; a base is used by its own thread only"),
        "LarderServer/HTTPServer.swift": Row(
            [.pointer, .unmanaged, .uncheckedSendable],
            "libevent's argument for its callbacks; used by its own thread only, the bell aside"),
        "LarderServer/LatencySampler.swift": Row(
            [.pointer, .uncheckedSendable],
            "words one thread writes and all may read"),
        "LarderServer/Housekeeper.swift": Row(
            [.pointer, .uncheckedSendable],
            "shared by its thread and by whoever stops it; what changes is atomic"),
        "LarderServer/Journal.swift": Row(
            [.pointer, .unmanaged, .uncheckedSendable],
            "shared by all threads; what changes stands behind its lock"),
        "LarderServer/Listener.swift": Row(
            [.pointer],
            "sockaddr for bind and listen"),
        "LarderServer/Mailbox.swift": Row(
            [.pointer, .uncheckedSendable],
            "what crosses threads stands behind its lock"),
        "LarderServer/Connection+Login.swift": Row(
            [.pointer],
            "wipes passwords from the buffers they came in"),
        "LarderServer/PasswordTable.swift": Row(
            [.pointer, .uncheckedSendable],
            "passwords in memory of their own, kept out of core files; never changes once made"),
        "LarderServer/Process.swift": Row(
            [.pointer],
            "passwd entries and C strings of the system"),
        "LarderServer/Server.swift": Row(
            [.pointer, .unmanaged, .uncheckedSendable],
            "libevent's argument for signals; what changes after start stands behind a lock or is atomic"),
        "LarderServer/Systemd.swift": Row(
            [.pointer],
            "sockaddr_un for the notify socket"),
        "LarderServer/TLSContext.swift": Row(
            [.uncheckedSendable],
            "OpenSSL's context, which all threads may use and which counts its users"),
        "LarderServer/TLSStream.swift": Row(
            [.pointer, .uncheckedSendable],
            "OpenSSL's connection, used by one thread at a time; bytes go in and out by address"),
        "LarderServer/Thread.swift": Row(
            [.unmanaged, .uncheckedSendable],
            "pthread_create carries the one value the thread runs on"),
        "LarderServer/ReadAhead.swift": Row(
            [.pointer],
            "the worker's input buffers are plain memory"),
        "LarderServer/Watcher.swift": Row(
            [.pointer, .unmanaged],
            "its address is libevent's argument"),
        "LarderServer/Worker.swift": Row(
            [.pointer, .uncheckedSendable],
            "its buffers are plain memory; used by its own thread only, its mailbox aside"),
        // LarderTop
        "LarderTop/Target.swift": Row(
            [.pointer],
            "getaddrinfo's list and socket addresses"),
        // LarderStore
        "LarderStore/Allocation.swift": Row(
            [.pointer],
            "chunks are addresses in the arena"),
        "LarderStore/Arena.swift": Row(
            [.pointer],
            "the one reservation of memory"),
        "LarderStore/Bytes.swift": Row(
            [.pointer],
            "a word at a time out of a span, bounds checked first"),
        "LarderStore/Bias.swift": Row(
            [.pointer],
            "words at fixed addresses, one of which a system call puts in order for all threads"),
        "LarderStore/CopyBytes.swift": Row(
            [.pointer],
            "between the arena and reply memory; lengths are the callers'"),
        "LarderStore/Core.swift": Row(
            [.pointer],
            "the shared state, at fixed addresses so that locks and atomics hold"),
        "LarderStore/Counters.swift": Row(
            [.pointer],
            "words one thread writes and all may read"),
        "LarderStore/EventRing.swift": Row(
            [.pointer, .uncheckedSendable],
            "one producer, one consumer, indices are atomic"),
        "LarderStore/Eviction.swift": Row(
            [.pointer],
            "walks the pages of a class"),
        "LarderStore/EvictionLog.swift": Row(
            [.pointer],
            "called with keys in the arena"),
        "LarderStore/FixedArray.swift": Row(
            [.pointer],
            "elements read and written in place, bounds checked first"),
        "LarderStore/FreeRuns.swift": Row(
            [.pointer],
            "carries a socket's target through the protocol without its being touched"),
        "LarderStore/Guarded.swift": Row(
            [.pointer, .uncheckedSendable],
            "a pthread_mutex stays in one place; its value is touched under it only"),
        "LarderStore/NapLock.swift": Row(
            [.pointer],
            "the lock is a word at a fixed address"),
        "LarderStore/HashIndex.swift": Row(
            [.pointer],
            "buckets are cache lines in the arena"),
        "LarderStore/Item.swift": Row(
            [.pointer],
            "the layout of a chunk"),
        "LarderStore/KeyHash.swift": Row(
            [.pointer],
            "reads keys a word at a time"),
        "LarderStore/LockedItem.swift": Row(
            [.pointer],
            "an item in the arena, seen under its stripe's lock"),
        "LarderStore/LongValue.swift": Row(
            [.pointer],
            "parts of a value, chunk by chunk"),
        "LarderStore/PageBalance.swift": Row(
            [.pointer],
            "reads the classes' figures where they stand"),
        "LarderStore/PageMover.swift": Row(
            [.pointer],
            "empties pages in place"),
        "LarderStore/ReplyBuffer.swift": Row(
            [.pointer],
            "the one place where reply memory is written"),
        "LarderStore/SlabClass.swift": Row(
            [.pointer],
            "free lists and rings in place"),
        "LarderStore/Store.swift": Row(
            [.pointer, .uncheckedSendable],
            "owns the shared state and lends it to threads; everything in it stands behind locks or is atomic"
        ),
        "LarderStore/Stripe.swift": Row(
            [.pointer],
            "a cache line with a lock at a fixed address"),
        "LarderStore/Walk.swift": Row(
            [.pointer],
            "walks buckets under their stripe's lock"),
        "LarderStore/Writes.swift": Row(
            [.pointer],
            "fills chunks in place"),
    ]
}
