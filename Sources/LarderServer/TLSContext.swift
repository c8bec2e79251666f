// OpenSSL's context, which all connections share: made of the settings' files, whole or not at all, and
// replaced by another when the files have changed.
import COpenSSL
import Glibc
import LarderProtocol
import LarderStore
import Synchronization

/// What stands in the way of TLS, in one line for the operator.
struct TLSFault: Error {
    let text: String
}

/// One set of certificates in use, as OpenSSL holds it. It counts its users: a connection goes on with the
/// set it began with.
struct TLSContext: @unchecked Sendable { // never changes once made; OpenSSL's count of users is atomic
    private let pointer: OpaquePointer

    /// `hidesInput`: what clients send may be a password, and is not to be left in OpenSSL's buffers.
    init(_ settings: TLSSettings, hidesInput: Bool) throws(TLSFault) {
        guard let made = ossl_context_new(settings.oldest.number) else {
            throw TLSFault(text: "OpenSSL: \(Self.takeError())")
        }
        pointer = made
        if hidesInput { ossl_context_wipe_input(made) }
        do throws(TLSFault) {
            try choose(settings)
            try load(settings)
        } catch {
            ossl_context_free(made)
            throw error
        }
    }

    func free() { ossl_context_free(pointer) }

    /// For one more user, who has to `free` it.
    func retained() -> TLSContext {
        ossl_context_retain(pointer)
        return self
    }

    /// The server's end of a connection; nil without memory.
    func stream(on descriptor: Int32, _ security: ListenerSecurity) -> TLSStream? {
        guard let connection = ossl_new(pointer, descriptor) else {
            ossl_forget_errors()
            return nil
        }
        switch security {
        case .serverOnly: ossl_verify(connection, TLSSettings.ClientCheck.none.bits)
        case .mutual: ossl_verify(connection, TLSSettings.ClientCheck.require.bits)
        case .asConfigured, .none: break
        }
        return TLSStream(connection)
    }

    // MARK: Making

    private func choose(_ settings: TLSSettings) throws(TLSFault) {
        if let words = settings.ciphers?.split(separator: ":") {
            let suites = words.filter { $0.hasPrefix("TLS_") }.joined(separator: ":")
            let others = words.filter { !$0.hasPrefix("TLS_") }.joined(separator: ":")
            let isGood = (suites.isEmpty || ossl_context_suites(pointer, suites) == 1)
                && (others.isEmpty || ossl_context_ciphers(pointer, others) == 1)
            guard isGood, !words.isEmpty else {
                throw TLSFault(text: "no such ciphers: \(settings.ciphers ?? ""): \(Self.takeError())")
            }
        }
        // A session is resumed only under the name it began with; a client's certificate hangs on it.
        if settings.resumesSessions {
            _ = ossl_context_sessions(pointer, "larder")
        } else {
            ossl_context_no_sessions(pointer)
        }
        if settings.usesKernel { ossl_context_kernel_tls(pointer) }
        ossl_context_verify(pointer, settings.clientCheck.bits)
    }

    private func load(_ settings: TLSSettings) throws(TLSFault) {
        let chain = settings.chainFile ?? ""
        guard ossl_context_chain_file(pointer, chain) == 1 else {
            throw TLSFault(text: "cannot use the certificate chain \(chain): \(Self.takeError())")
        }
        let key = settings.keyFile ?? chain
        guard ossl_context_key_file(pointer, key, Int32(settings.keyFormat.rawValue)) == 1 else {
            throw TLSFault(text: "cannot use the key \(key): \(Self.takeError())")
        }
        guard ossl_context_check_key(pointer) == 1 else {
            throw TLSFault(text: "the key \(key) does not fit \(chain): \(Self.takeError())")
        }
        guard let authority = settings.authorityFile else { return }
        guard ossl_context_authority_file(pointer, authority) == 1 else {
            throw TLSFault(text: "cannot use the authorities \(authority): \(Self.takeError())")
        }
    }

    /// This thread's first error, without OpenSSL's number: `PEM routines: no start line`.
    static func takeError() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            ossl_take_error(buffer.baseAddress, buffer.count)
            let parts = String(cString: buffer.baseAddress!).split(separator: ":").dropFirst(2)
            let words = parts.filter { $0 != "system library" }
            return words.isEmpty ? "no reason given" : words.joined(separator: ": ")
        }
    }
}

/// The daemon's TLS: the context in force and what is counted about it.
final class TLSService: Sendable {
    /// A client that has not finished its handshake after so many seconds is let go, whatever
    /// `-o idle_timeout` says.
    static let handshakeSeconds: UInt32 = 20

    private let settings: TLSSettings
    private let hidesInput: Bool
    private let current: Guarded<TLSContext>
    private let refreshed: Atomic<UInt64>
    let newSessions = Atomic<UInt64>(0)
    let handshakeErrors = Atomic<UInt64>(0)
    let protocolErrors = Atomic<UInt64>(0)

    /// Loads OpenSSL and the certificates. Before there are threads, and while what only root may read can
    /// be read.
    init(_ settings: TLSSettings, hidesInput: Bool) throws(StartFailure) {
        if let missing = ossl_load() {
            throw .system("-Z: TLS needs OpenSSL: \(String(cString: missing))")
        }
        let context: TLSContext
        do {
            context = try TLSContext(settings, hidesInput: hidesInput)
        } catch {
            throw .usage("-Z: \(error.text)")
        }
        self.settings = settings
        self.hidesInput = hidesInput
        current = Guarded(context)
        refreshed = Atomic(monotonicMicroseconds())
    }

    deinit { current.withLock { $0.free() } }

    /// Reads the files again; connections from now on get what they say. On a fault nothing changes.
    func refresh() throws(TLSFault) {
        let new = try TLSContext(settings, hidesInput: hidesInput)
        let old = current.withLock { context in
            defer { context = new }
            return context
        }
        old.free()
        refreshed.store(monotonicMicroseconds(), ordering: .relaxed)
    }

    func stream(on descriptor: Int32, _ security: ListenerSecurity) -> TLSStream? {
        let context = current.withLock { $0.retained() }
        defer { context.free() }
        return context.stream(on: descriptor, security)
    }

    /// Files that root could read at the start and this user can't read again.
    var unreadable: [String] {
        [settings.chainFile, settings.keyFile, settings.authorityFile].compactMap { $0 }
            .filter { access($0, R_OK) != 0 }
    }

    var figures: TLSFigures {
        TLSFigures(
            newSessions: newSessions.load(ordering: .relaxed),
            handshakeErrors: handshakeErrors.load(ordering: .relaxed),
            protocolErrors: protocolErrors.load(ordering: .relaxed),
            secondsSinceRefresh: (monotonicMicroseconds() - refreshed.load(ordering: .relaxed)) / 1_000_000)
    }

    /// `stats reset`.
    func reset() {
        newSessions.store(0, ordering: .relaxed)
        handshakeErrors.store(0, ordering: .relaxed)
        protocolErrors.store(0, ordering: .relaxed)
    }
}
