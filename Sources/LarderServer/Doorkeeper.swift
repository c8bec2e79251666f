// Who is let in where `-Y` asks for a password: the users of the file, and the patience with those who guess.
import Glibc
import LarderProtocol
import LarderStore

final class Doorkeeper: Sendable {
    private struct State {
        var passwords: PasswordTable
        var throttle = LoginThrottle()
    }

    let path: String
    private let log: Log
    private let state: Guarded<State>

    /// Reads the file. Before there are threads, and while what only root may read can be read.
    init(path: String, log: Log) throws(StartFailure) {
        self.path = path
        self.log = log
        let passwords: PasswordTable
        do throws(StartFailure) {
            passwords = try PasswordTable(path: path)
        } catch {
            throw StartFailure("-Y: \(error.message)", error.exitCode)
        }
        state = Guarded(State(passwords: passwords))
        warn(passwords)
    }

    private func warn(_ passwords: PasswordTable) {
        if passwords.isOpenToAll { log.warning("\(path): everybody on this machine can read it (chmod 640)") }
    }

    /// Root could read it at the start, and this user can't read it again.
    var isUnreadable: Bool { access(path, R_OK) != 0 }

    /// Judges one try of a client at `address`. One at a time: the count of tries and what is done about
    /// them are one step, and what happens in it takes a few microseconds.
    func judge(
        user: Span<UInt8>, password: Span<UInt8>, from address: PeerGroup, hasWaited: Bool, now: UInt64
    ) -> LoginAnswer {
        state.withLock { state in
            if let wait = state.throttle.wait(address, hasWaited: hasWaited, now: now) {
                return .askAgain(afterMilliseconds: Int(wait / 1000))
            }
            if state.passwords.has(user: user, password: password) { return .welcome }
            return .refused(afterMilliseconds: Int(state.throttle.note(address, now: now) / 1000))
        }
    }

    var rereadable: Rereadable {
        Rereadable(name: "password file \(path)") { () throws(StartFailure) in
            let passwords = try PasswordTable(path: self.path)
            self.warn(passwords)
            let old = self.state.withLock { state in
                defer { state.passwords = passwords }
                return state.passwords
            }
            return "\(passwords.count) entries, before it \(old.count)"
        }
    }
}

extension Server {
    public func checkCredentials(
        user: Span<UInt8>, password: Span<UInt8>, descriptor: Int32, hasWaited: Bool
    ) -> LoginAnswer {
        guard let doorkeeper else { return .refused(afterMilliseconds: 0) }
        return doorkeeper.judge(
            user: user, password: password, from: .peer(descriptor), hasWaited: hasWaited,
            now: monotonicMicroseconds())
    }
}
