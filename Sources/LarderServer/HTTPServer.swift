// The HTTP side of the daemon, on libevent's evhttp: a thread and a loop of its own, so that nothing asked
// here makes a worker wait. Bounded: connections, headers, bodies and how long a client may take.
import CLibevent
import Glibc
import LarderStore

final class HTTPServer: @unchecked Sendable {
    // After `run` has begun only its thread touches it, until that has ended; `stop` rings a bell.

    static let connectionsMax = 64
    private static let headerBytesMax = 8 << 10
    private static let bodyBytesMax = 1 << 10
    /// Seconds without a complete request after which a connection is closed: longer than most scrape
    /// intervals, and short when others wait for the place.
    private static let patience: UInt64 = 75
    private static let patienceWhenFull: UInt64 = 5
    private static let eventCount = 3

    /// evhttp tells nobody when it closes a connection: the socket's inode shows whether the descriptor is
    /// still the same one.
    private struct Client {
        let descriptor: Int32
        let inode: ino_t
        /// Seconds of the monotonic clock: its beginning, or its last complete request.
        var lastRequest: UInt64
    }

    private let desk: StatusDesk
    private let log: Log
    private let isLocal: Bool
    private let loop: EventLoop
    private let wakeUp: WakeUp
    private let http: OpaquePointer
    private var listeners: [OpaquePointer] = []
    private var clients: [Client] = []
    /// Accepted, and their descriptors not known yet; each with a reference of ours.
    private var newcomers: [OpaquePointer] = []
    private var isFull = false
    /// The bell, the beat of every second, and newcomers.
    private let events: UnsafeMutablePointer<Event>

    /// The sockets stay the caller's, who closes them after `free`.
    init?(_ desk: StatusDesk, listeners sockets: [Listener], log: Log) {
        guard let loop = EventLoop(), let wakeUp = WakeUp(), let http = evhttp_new(loop.base) else {
            return nil
        }
        self.desk = desk
        self.log = log
        self.loop = loop
        self.wakeUp = wakeUp
        self.http = http
        isLocal = sockets.allSatisfy { HTTPRequest.isLoopback($0.address?.host ?? "") }
        events = .allocate(capacity: Self.eventCount)
        events.initialize(repeating: Event(), count: Self.eventCount)
        let this = Unmanaged.passUnretained(self).toOpaque()
        evhttp_set_gencb(http, requestCame, this)
        evhttp_set_bevcb(http, connectionComes, this)
        evhttp_set_max_headers_size(http, Self.headerBytesMax)
        evhttp_set_max_body_size(http, Self.bodyBytesMax)
        evhttp_set_timeout(http, Int32(Self.patience))
        // All that evhttp knows: what is not allowed is answered here, with 405.
        evhttp_set_allowed_methods(http, UInt16.max)
        loop.assign(events, wakeUp.descriptor, Readiness.read | Readiness.persist, bellRang, this)
        loop.assign(events + 1, -1, Readiness.persist, secondPassed, this)
        loop.assign(events + 2, -1, 0, newcomersWait, this)
        let flags = UInt32(LEV_OPT_CLOSE_ON_EXEC)
        for socket in sockets {
            guard let listener = evconnlistener_new(loop.base, nil, nil, flags, 0, socket.descriptor),
                evhttp_bind_listener(http, listener) != nil
            else { return nil }
            evconnlistener_set_error_cb(listener, acceptFailed)
            listeners.append(listener)
        }
        guard events.add(), (events + 1).add(milliseconds: 1000) else { return nil }
    }

    /// The thread's body.
    func run() { loop.run() }

    /// From another thread: `run` returns soon.
    func stop() { wakeUp.ring() }

    /// After `run` has returned, or without it.
    func free() {
        for newcomer in newcomers { bufferevent_decref(newcomer) }
        evhttp_free(http)
        for index in 0..<Self.eventCount { (events + index).remove() }
        events.deallocate()
        loop.free()
        wakeUp.close()
    }

    // MARK: Connections

    /// evhttp is about to take a connection, and gets its buffers from here.
    fileprivate func take() -> OpaquePointer? {
        guard let buffers = bufferevent_socket_new(loop.base, -1, 0) else { return nil }
        bufferevent_incref(buffers)
        newcomers.append(buffers)
        event_active(events + 2, 0, 0)
        if !hasRoom { forgetTheGone() }
        // evhttp does not survive it when it gets no memory for a connection.
        if !hasRoom || !SpareMemory.isThere { pause() }
        return buffers
    }

    private var hasRoom: Bool { clients.count + newcomers.count < Self.connectionsMax }

    private func forgetTheGone() { clients.removeAll { Self.inode($0.descriptor) != $0.inode } }

    fileprivate func meetNewcomers() {
        let now = monotonicMicroseconds() / 1_000_000
        for buffers in newcomers {
            var onRead: bufferevent_data_cb?
            bufferevent_getcb(buffers, &onRead, nil, nil, nil)
            let descriptor = bufferevent_getfd(buffers)
            // Without callbacks evhttp has let go of it already.
            if onRead != nil, let inode = Self.inode(descriptor) {
                clients.removeAll { $0.descriptor == descriptor }
                clients.append(Client(descriptor: descriptor, inode: inode, lastRequest: now))
            }
            bufferevent_decref(buffers)
        }
        newcomers = []
    }

    private static func inode(_ descriptor: Int32) -> ino_t? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? status.st_ino : nil
    }

    fileprivate func pause() {
        isFull = true
        for listener in listeners { evconnlistener_disable(listener) }
    }

    fileprivate func secondHasPassed() {
        if SpareMemory.isThere { desk.beat() }
        let now = monotonicMicroseconds() / 1_000_000
        let patience = isFull ? Self.patienceWhenFull : Self.patience
        forgetTheGone()
        for client in clients where now - client.lastRequest > patience {
            // evhttp reads the end of the connection and closes it.
            shutdown(client.descriptor, Int32(SHUT_RDWR))
        }
        guard hasRoom, SpareMemory.isThere else { return }
        isFull = false
        // Also after a failed accept.
        for listener in listeners { evconnlistener_enable(listener) }
    }

    fileprivate func end() {
        wakeUp.answer()
        loop.stop()
    }

    // MARK: Requests

    fileprivate func answer(_ request: OpaquePointer) {
        note(request)
        guard SpareMemory.isThere else { return refuse(request) }
        let command = evhttp_request_get_command(request)
        let isHead = command == EVHTTP_REQ_HEAD
        var asked = HTTPRequest()
        asked.isReading = isHead || command == EVHTTP_REQ_GET
        if let uri = evhttp_request_get_evhttp_uri(request) {
            asked.path = evhttp_uri_get_path(uri).map { String(cString: $0) } ?? ""
            asked.query = evhttp_uri_get_query(uri).map { String(cString: $0) } ?? ""
        }
        asked.host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host")
            .map { String(cString: $0) }
        let response = asked.isFor(localOnly: isLocal)
            ? desk.answer(asked) : HTTPResponse(.misdirected, text: "this name is not served here\n")
        send(response, request, isHead: isHead)
    }

    private func note(_ request: OpaquePointer) {
        guard let connection = evhttp_request_get_connection(request),
            let buffers = evhttp_connection_get_bufferevent(connection)
        else { return }
        let descriptor = bufferevent_getfd(buffers)
        guard let index = clients.firstIndex(where: { $0.descriptor == descriptor }) else { return }
        clients[index].lastRequest = monotonicMicroseconds() / 1_000_000
    }

    private func send(_ response: HTTPResponse, _ request: OpaquePointer, isHead: Bool) {
        let headers = evhttp_request_get_output_headers(request)
        let all = response.headers + [("Content-Length", String(response.body.count))]
        guard all.allSatisfy({ evhttp_add_header(headers, $0, $1) == 0 }), let body = evbuffer_new() else {
            return refuse(request)
        }
        defer { evbuffer_free(body) }
        guard isHead || evbuffer_add(body, response.body, response.body.count) == 0 else {
            return refuse(request)
        }
        evhttp_send_reply(request, Int32(response.status.rawValue), response.status.reason, body)
    }

    /// Without memory for more: the status says all.
    private func refuse(_ request: OpaquePointer) {
        evhttp_clear_headers(evhttp_request_get_output_headers(request))
        let status = HTTPResponse.Status.unavailable
        evhttp_send_reply(request, Int32(status.rawValue), status.reason, nil)
    }
}

// Callbacks of libevent; the argument is the server.

private func server(_ argument: UnsafeMutableRawPointer?) -> HTTPServer {
    Unmanaged<HTTPServer>.fromOpaque(argument!).takeUnretainedValue()
}
private let requestCame: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Void = {
    if let request = $0 { server($1).answer(request) }
}
private let connectionComes: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> OpaquePointer? = {
    server($1).take()
}
/// No descriptor left, most likely: the next second may have one.
private let acceptFailed: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Void = { listener, _ in
    if let listener { evconnlistener_disable(listener) }
}
private let bellRang: EventCallback = { _, _, argument in server(argument).end() }
private let secondPassed: EventCallback = { _, _, argument in server(argument).secondHasPassed() }
private let newcomersWait: EventCallback = { _, _, argument in server(argument).meetNewcomers() }
