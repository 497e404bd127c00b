internal import Crypto
internal import FoundationEssentials
internal import NIOCore
package import WeirStore
package import WeirWorld

/// The keys that links and forms are signed with, newest first. They lie in the data directory (mode 0600) and never
/// leave it: who has them can decide as anybody.
package struct ApprovalKeys: Sendable {
    package struct Key: Sendable {
        /// Eight characters; stands in every token.
        package let id: String
        let made: WallTime
        fileprivate let secret: SymmetricKey

        /// - Parameter purpose: keeps a form's code from being a token's.
        func code(for purpose: String, _ text: String) -> HMAC<SHA256>.MAC {
            HMAC<SHA256>.authenticationCode(for: Data("\(purpose)\n\(text)".utf8), using: secret)
        }

        /// Compares in constant time.
        func isCode(_ code: Data, for purpose: String, _ text: String) -> Bool {
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: Data("\(purpose)\n\(text)".utf8), using: secret)
        }
    }

    /// How old the newest may be.
    static let life = Duration.seconds(90 * 86_400)
    /// Old keys are kept for links that are out: the longest expiry of a rule and some.
    static let kept = Duration.seconds(460 * 86_400)

    private(set) var keys: [Key]

    package var newest: Key { keys[0] }

    subscript(id: String) -> Key? { keys.first { $0.id == id } }

    /// For tests.
    package static func made(at now: WallTime) -> ApprovalKeys {
        ApprovalKeys(keys: [Key.made(at: now)])
    }

    /// Puts a new key before the others when the newest is too old, and forgets those that no link can need.
    /// - Returns: whether there is anything to write.
    mutating func rotate(at now: WallTime) -> Bool {
        let before = keys.count
        let current = newest.id
        keys.removeAll { now - $0.made > Self.kept && $0.id != current }
        guard now - newest.made > Self.life else { return keys.count != before }
        keys.insert(Key.made(at: now), at: 0)
        return true
    }

    // MARK: The file

    private struct Kept: Codable {
        var id: String
        var made: Int64
        var secret: Data
    }

    /// Reads the file, or makes it. Blocking.
    /// - Throws: when it cannot be read or written, or is none: then no link would work, and that must be said.
    package static func open(path: String, world: World) throws(StoreFailure) -> ApprovalKeys {
        let file = AtomicFile(path: path, files: world.files)
        var keys: ApprovalKeys
        var isNew = false
        if let bytes = try file.read() {
            if let status = try? world.files.status(path), status.permissions & 0o077 != 0 {
                throw .notAllowed("\(path) may be read by others; make it 0600, or delete it: links that are out end")
            }
            keys = try read(Data(bytes.readableBytesView), path)
        } else {
            keys = made(at: world.time.wall)
            isNew = true
        }
        if keys.rotate(at: world.time.wall) || isNew { try file.write(keys.bytes) }
        return keys
    }

    private static func read(_ bytes: Data, _ path: String) throws(StoreFailure) -> ApprovalKeys {
        guard let kept = try? JSONDecoder().decode([Kept].self, from: bytes), !kept.isEmpty,
            kept.allSatisfy({ $0.secret.count == 32 })
        else { throw .damaged("\(path) holds no keys; delete it, and a new one is made: links that are out end") }
        return ApprovalKeys(
            keys: kept.map {
                Key(id: $0.id, made: WallTime(nanoseconds: $0.made), secret: SymmetricKey(data: $0.secret))
            })
    }

    private var bytes: [UInt8] {
        let kept = keys.map { key in
            Kept(id: key.id, made: key.made.nanoseconds, secret: key.secret.withUnsafeBytes { Data($0) })
        }
        return Array((try? JSONEncoder().encode(kept)) ?? Data())
    }
}

extension ApprovalKeys.Key {
    fileprivate static func made(at now: WallTime) -> ApprovalKeys.Key {
        let id = SymmetricKey(size: .init(bitCount: 48)).withUnsafeBytes { URLSafe.text(Data($0)) }
        return ApprovalKeys.Key(id: id, made: now, secret: SymmetricKey(size: .bits256))
    }
}
