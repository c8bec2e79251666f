// The users and passwords of the `-Y` file, memcached's format: a line `user:password` for each. They lie in
// memory of their own that no core file takes along, are compared in a time that does not depend on what is
// in them, and are wiped when they are given up.
import Glibc

/// Never changes once made; a reload makes another.
final class PasswordTable: @unchecked Sendable { // only read after `init`
    static let entriesMax = 64
    /// Bytes of a user's name, and of a password.
    static let longest = 255
    private static let fileMax = entriesMax * (2 * longest + 3)
    /// One entry: the user's length, the user padded with zeros, the password's length, the password padded
    /// with zeros. Entries that look alike byte by byte are alike.
    private static let half = longest + 1
    private static let entryBytes = 2 * half

    private(set) var count = 0
    /// Others than its owner and group may read the file.
    private(set) var isOpenToAll = false
    /// The entries, and behind them the file while it is read.
    private let memory: UnsafeMutableRawPointer
    private static let memoryBytes = entriesMax * entryBytes + fileMax + 1

    /// Reads the file at `path`; errors name a line and never what is in it.
    init(path: String) throws(StartFailure) {
        let made = mmap(
            nil, Self.memoryBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let made, made != MAP_FAILED else { throw .system("no memory for the password file") }
        memory = made
        madvise(memory, Self.memoryBytes, MADV_DONTDUMP)
        let place = memory + Self.entriesMax * Self.entryBytes
        let bytes = try readFile(path, into: place)
        defer { explicit_bzero(place, bytes) }
        let text = UnsafeRawBufferPointer(start: place, count: bytes)
        var number = 0
        for line in text.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            try add(UnsafeRawBufferPointer(rebasing: line), "\(path), line \(number)")
        }
        guard count > 0 else { throw .usage("\(path): names no user; a line is user:password") }
    }

    deinit {
        explicit_bzero(memory, Self.memoryBytes)
        munmap(memory, Self.memoryBytes)
    }

    private func readFile(_ path: String, into place: UnsafeMutableRawPointer) throws(StartFailure) -> Int {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .usage("cannot open \(path): \(errorText())") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .usage("cannot read \(path): \(errorText())") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .usage("\(path): is no plain file") }
        isOpenToAll = status.st_mode & S_IROTH != 0
        var bytes = 0
        while bytes <= Self.fileMax {
            let got = read(descriptor, place + bytes, Self.fileMax + 1 - bytes)
            if got == 0 { return bytes }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw .usage("cannot read \(path): \(errorText())") }
            bytes += got
        }
        throw .usage("\(path): is longer than \(Self.entriesMax) users need")
    }

    private func add(_ line: UnsafeRawBufferPointer, _ where_: String) throws(StartFailure) {
        var line = line
        if line.last == 0x0D { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        if line.isEmpty { return }
        guard let colon = line.firstIndex(of: 0x3A) else {
            throw .usage("\(where_): must be user:password")
        }
        let password = line.count - colon - 1
        guard !line.contains(0) else { throw .usage("\(where_): holds a zero byte") }
        guard colon > 0, password > 0 else { throw .usage("\(where_): the user or the password is empty") }
        guard !line[..<colon].contains(0x20) else {
            throw .usage("\(where_): a user's name with a blank in it could never be given")
        }
        guard colon <= Self.longest, password <= Self.longest else {
            throw .usage("\(where_): a user or a password has at most \(Self.longest) bytes")
        }
        guard count < Self.entriesMax else {
            throw .usage("\(where_): more than \(Self.entriesMax) users")
        }
        let entry = memory + count * Self.entryBytes
        entry.storeBytes(of: UInt8(colon), as: UInt8.self)
        (entry + 1).copyMemory(from: line.baseAddress!, byteCount: colon)
        entry.storeBytes(of: UInt8(password), toByteOffset: Self.half, as: UInt8.self)
        (entry + Self.half + 1).copyMemory(from: line.baseAddress! + colon + 1, byteCount: password)
        count += 1
    }

    /// Whether one of the entries is this user with this password. What it costs depends on how long the two
    /// are, which the client knows, and on how many entries there are; not on which of them is like it, nor
    /// on how much of one is: every word of every entry is compared, and the differences are gathered
    /// without a branch.
    func has(user: Span<UInt8>, password: Span<UInt8>) -> Bool {
        let words = Self.entryBytes / 8
        return withUnsafeTemporaryAllocation(byteCount: Self.entryBytes, alignment: 8) { wanted in
            wanted.initializeMemory(as: UInt8.self, repeating: 0)
            defer { explicit_bzero(wanted.baseAddress!, wanted.count) }
            let fits = Self.fill(wanted, from: 0, user) && Self.fill(wanted, from: Self.half, password)
            var found: UInt64 = 0
            for entry in 0..<count {
                var differences: UInt64 = 0
                for word in 0..<words {
                    let offset = word * 8
                    differences |=
                        memory.load(fromByteOffset: entry * Self.entryBytes + offset, as: UInt64.self)
                        ^ wanted.load(fromByteOffset: offset, as: UInt64.self)
                }
                // 1 in the highest bit for anything but 0.
                found |= ~(differences | (0 &- differences)) >> 63
            }
            return found == 1 && fits
        }
    }

    private static func fill(_ block: UnsafeMutableRawBufferPointer, from start: Int, _ text: Span<UInt8>)
        -> Bool
    {
        let bytes = min(text.count, longest)
        block[start] = UInt8(bytes)
        for i in 0..<bytes { block[start + 1 + i] = text[i] }
        return text.count <= longest
    }
}
