// Opening the sockets that clients come to: TCP and UDP on every address of the settings, a unix socket, or
// what the service manager handed over. Nothing is accepted here.
import Glibc

/// An open socket that clients connect or send to.
struct Listener: Sendable {
    let descriptor: Int32
    let transport: Transport
    /// `.none` wherever nothing is encrypted.
    var security = ListenerSecurity.none

    var address: SocketAddress? { .local(descriptor) }
    func close() { _ = Glibc.close(descriptor) }
}

struct ListenerSet {
    private(set) var listeners: [Listener] = []
    /// Where the status page is asked for (`--http`).
    private(set) var http: [Listener] = []
    /// The unix socket's file, to be removed at the end if it is still ours.
    private var unixFile: (path: String, device: dev_t, inode: ino_t)?

    /// Opens everything the settings ask for.
    init(_ settings: Settings, inherited: [InheritedSocket]) throws(StartFailure) {
        do throws(StartFailure) {
            if let address = settings.http { http = try Self.openHTTP(address) }
            if !inherited.isEmpty {
                for socket in inherited { adopt(socket, isSecured: settings.tls.isEnabled) }
            } else if let path = settings.unixPath {
                try openUnix(path, mask: settings.unixMask, backlog: settings.backlog)
            } else {
                try open(settings, .tcp, port: settings.port)
                try open(settings, .udp, port: settings.udpPort)
                if let file = settings.portFile { try writePorts(file) }
            }
        } catch {
            close()
            throw error
        }
    }

    func close() {
        for listener in listeners + http { listener.close() }
        guard let unixFile else { return }
        var now = stat()
        if lstat(unixFile.path, &now) == 0, now.st_dev == unixFile.device, now.st_ino == unixFile.inode {
            unlink(unixFile.path)
        }
    }

    // MARK: TCP and UDP

    /// One try to bind: a socket, or the error number.
    private enum Attempt {
        case open(Int32)
        case failed(Int32)
    }

    /// All addresses for one transport. With port -1 the first socket's port is taken for all others; should
    /// it be taken in another family, the search starts again.
    private mutating func open(_ settings: Settings, _ transport: Transport, port: Int) throws(StartFailure) {
        guard port != 0 else { return }
        let before = listeners.count
        for remaining in stride(from: 20, through: 0, by: -1) {
            var chosen = port
            var isTaken = false
            for address in settings.listen where !isTaken {
                let mayRetry = port < 0 && remaining > 0
                isTaken = try !open(settings, transport, address, &chosen, mayRetry: mayRetry)
            }
            if !isTaken { break }
            while listeners.count > before { listeners.removeLast().close() }
        }
        if listeners.count == before {
            throw .system("no address to listen on for \(transport.name) port \(port)")
        }
    }

    /// One address of the list, in all its families. False: a port drawn before is taken here, start again.
    private mutating func open(
        _ settings: Settings, _ transport: Transport, _ address: ListenAddress, _ drawn: inout Int,
        mayRetry: Bool
    ) throws(StartFailure) -> Bool {
        let ownPort = address.port
        let port = ownPort ?? drawn
        let found = try Self.resolve(address.host, port: max(port, 0), transport)
        defer { freeaddrinfo(found) }
        var each: UnsafeMutablePointer<addrinfo>? = found
        var opened = 0
        var failure: (code: Int32, text: String)?
        while let info = each {
            each = info.pointee.ai_next
            if ownPort == nil, drawn > 0 { Self.setPort(info.pointee.ai_addr, drawn) }
            switch Self.bind(info.pointee, transport, backlog: settings.backlog) {
            case .open(let descriptor):
                let isSecured = transport == .tcp && settings.tls.isEnabled
                listeners.append(Listener(
                    descriptor: descriptor, transport: transport,
                    security: isSecured ? address.security : .none))
                opened += 1
                if ownPort == nil, drawn < 0 { drawn = listeners[listeners.count - 1].address?.port ?? drawn }
            case .failed(let code):
                if code == EADDRINUSE, mayRetry, ownPort == nil { return false }
                let text = SocketAddress(info.pointee.ai_addr, length: info.pointee.ai_addrlen).readable
                if failure == nil || code == EADDRINUSE { failure = (code, text) }
            }
        }
        guard let failure else { return true }
        // A family that is switched off is no error while another one works, nor is it for addresses nobody
        // named.
        let isAbsent = failure.code == EAFNOSUPPORT || failure.code == EADDRNOTAVAIL
        if isAbsent, opened > 0 || settings.listenText == nil { return true }
        let kind = transport == .udp ? "UDP" : "TCP"
        throw .system("failed to listen on \(kind) \(failure.text): \(errorText(failure.code))")
    }

    /// The sockets of one address with a port of its own; a name may stand for several.
    private static func openHTTP(_ address: ListenAddress) throws(StartFailure) -> [Listener] {
        var opened: [Listener] = []
        let found = try resolve(address.host, port: max(address.port ?? 0, 0), .tcp)
        defer { freeaddrinfo(found) }
        var each: UnsafeMutablePointer<addrinfo>? = found
        while let info = each {
            each = info.pointee.ai_next
            switch bind(info.pointee, .tcp, backlog: 64) {
            case .open(let descriptor): opened.append(Listener(descriptor: descriptor, transport: .tcp))
            case .failed(let code):
                for listener in opened { listener.close() }
                let text = SocketAddress(info.pointee.ai_addr, length: info.pointee.ai_addrlen).readable
                throw .system("failed to listen on HTTP \(text): \(errorText(code))")
            }
        }
        return opened
    }

    private static func resolve(
        _ host: String, port: Int, _ transport: Transport
    ) throws(StartFailure) -> UnsafeMutablePointer<addrinfo> {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32((transport == .udp ? SOCK_DGRAM : SOCK_STREAM).rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let failure = host == "*"
            ? getaddrinfo(nil, String(port), &hints, &found)
            : getaddrinfo(host, String(port), &hints, &found)
        guard failure == 0, let found else {
            throw .system("can't resolve \(host): \(String(cString: gai_strerror(failure)))")
        }
        return found
    }

    private static func setPort(_ address: UnsafeMutablePointer<sockaddr>, _ port: Int) {
        let raw = UnsafeMutableRawPointer(address)
        let value = in_port_t(truncatingIfNeeded: port).bigEndian
        switch Int32(address.pointee.sa_family) {
        case AF_INET: raw.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port = value
        case AF_INET6: raw.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_port = value
        default: break
        }
    }

    private static func bind(_ info: addrinfo, _ transport: Transport, backlog: Int) -> Attempt {
        let kind = info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(info.ai_family, kind, info.ai_protocol)
        guard descriptor >= 0 else { return .failed(errno) }
        if info.ai_family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
        // Accepted sockets inherit these. A datagram socket must not share its port with a second daemon.
        if transport == .tcp { prepare(descriptor) }
        if Glibc.bind(descriptor, info.ai_addr, info.ai_addrlen) == 0,
            transport == .udp || listen(descriptor, Int32(clamping: backlog)) == 0 {
            return .open(descriptor)
        }
        let code = errno
        _ = Glibc.close(descriptor)
        return .failed(code)
    }

    private static func prepare(_ descriptor: Int32) {
        set(descriptor, SOL_SOCKET, SO_REUSEADDR)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE)
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    // MARK: Unix sockets

    private mutating func openUnix(_ path: String, mask: Int, backlog: Int) throws(StartFailure) {
        guard var address = UnixAddress(path) else { throw .system("unix socket path too long: \(path)") }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try Self.removeStale(path, &address, kind)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .system("can't open a unix socket: \(errorText(errno))") }
        let oldMask = umask(~mode_t(truncatingIfNeeded: mask) & 0o777)
        let bound = address.withSockaddr { Glibc.bind(descriptor, $0, $1) }
        let code = errno
        umask(oldMask)
        guard bound == 0, listen(descriptor, Int32(clamping: backlog)) == 0 else {
            _ = Glibc.close(descriptor)
            throw .system("failed to listen on unix socket \(path): \(errorText(bound == 0 ? errno : code))")
        }
        var file = stat()
        if lstat(path, &file) == 0 { unixFile = (path, file.st_dev, file.st_ino) }
        listeners.append(Listener(descriptor: descriptor, transport: .local))
    }

    /// Removes the file of a daemon that is gone; one that answers is left alone.
    private static func removeStale(
        _ path: String, _ address: inout UnixAddress, _ kind: Int32
    ) throws(StartFailure) {
        var file = stat()
        guard lstat(path, &file) == 0, file.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe = socket(AF_UNIX, kind, 0)
        guard probe >= 0 else { return }
        defer { _ = Glibc.close(probe) }
        let answer = address.withSockaddr { connect(probe, $0, $1) }
        if answer == 0 || errno == EAGAIN {
            throw .system("failed to listen on unix socket \(path): another server answers there")
        }
        if errno == ECONNREFUSED { unlink(path) }
    }

    // MARK: Sockets from the service manager, and the port file

    private mutating func adopt(_ socket: InheritedSocket, isSecured: Bool) {
        let descriptor = socket.descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        let transport: Transport = socket.isDatagram ? .udp : socket.isUnix ? .local : .tcp
        if transport == .tcp { Self.prepare(descriptor) }
        let security: ListenerSecurity = isSecured && transport == .tcp ? .asConfigured : .none
        listeners.append(Listener(descriptor: descriptor, transport: transport, security: security))
    }

    /// The ports in use, one a line, in a file that appears whole or not at all.
    private func writePorts(_ path: String) throws(StartFailure) {
        var text = ""
        let kinds = listeners.map { $0.transport == .udp ? "UDP" : "TCP" } + http.map { _ in "HTTP" }
        for (listener, kind) in zip(listeners + http, kinds) {
            guard let address = listener.address, address.family != AF_UNIX else { continue }
            text += "\(kind) \(address.family == AF_INET6 ? "INET6" : "INET"): \(address.port)\n"
        }
        let temporary = path + ".lck"
        guard let file = fopen(temporary, "w") else {
            throw StartFailure("can't write \(temporary): \(errorText(errno))", 73)
        }
        let isWritten = fputs(text, file) >= 0
        guard fclose(file) == 0, isWritten, rename(temporary, path) == 0 else {
            throw StartFailure("can't write \(path): \(errorText(errno))", 73)
        }
    }
}
