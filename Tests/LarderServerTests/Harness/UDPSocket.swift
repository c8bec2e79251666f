// A datagram socket connected to a daemon's UDP port.
import Glibc

final class UDPSocket {
    let descriptor: Int32

    init(_ daemon: Daemon) throws {
        guard let port = daemon.ports.first(where: { $0.family == "UDP INET" })?.port else {
            throw Trouble("no UDP port among \(daemon.ports)")
        }
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let failed = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        if failed != 0 { throw Trouble("no UDP socket: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// One request in memcached's frame of 8 bytes: its number, 0 of 1 datagrams, reserved.
    func send(_ request: String, number: UInt16) {
        let frame = [UInt8(number >> 8), UInt8(number & 255), 0, 0, 0, 1, 0, 0] + Array(request.utf8)
        _ = Glibc.send(descriptor, frame, frame.count, 0)
    }

    /// The next datagram if there is one, frame and all.
    func datagram() -> ArraySlice<UInt8>? {
        var bytes = [UInt8](repeating: 0, count: 2000)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count >= 8 ? bytes[..<count] : nil
    }
}
