// The service manager's end of NOTIFY_SOCKET.
import Foundation

/// What systemd does: a datagram socket the daemon writes its state to.
final class NotifySocket {
    let path: String
    private let descriptor: Int32

    init(_ folder: TemporaryFolder) throws {
        path = folder.path("notify")
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let descriptor = self.descriptor
        guard withUnixAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
            throw Trouble("no notify socket")
        }
        chmod(path, 0o777)
    }

    deinit { close(descriptor) }

    /// The next notice.
    func notice() throws -> String {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, Int32(Surroundings.patience * 1000)) == 1 else {
            throw Trouble("no notice came")
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }

    /// Whether another comes in so many seconds.
    func hasNotice(within seconds: Double) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, Int32(seconds * 1000)) == 1
    }

    /// Drops those that have come.
    func forget() {
        while hasNotice(within: 0) { _ = try? notice() }
    }
}
