internal import WeirGates
package import WeirSettings
package import WeirWorld

/// Fetches secrets from files and environment variables while the configuration is read.
///
/// A file that everybody may read, or that others than its owner may write, is refused: a secret there is none. Group
/// read is fine (root:weir 0640). What the container runtime or systemd keeps (`/run/secrets`, `/run/credentials`) is
/// taken as it is: it is mounted for this service alone, and docker's default mode is 0444. Blocking: call it on a
/// `BlockingLane`.
package struct SecretReader: SecretResolver {
    /// Larger files are no secrets.
    private static let bytesMost = 65_536
    private static let guardedFolders = ["/run/secrets/", "/var/run/secrets/", "/run/credentials/"]

    private let files: any FileSystem
    private let environment: [String: String]

    package init(files: any FileSystem, environment: [String: String]) {
        self.files = files
        self.environment = environment
    }

    package func text(ofFile path: String) throws(SecretFailure) -> String {
        let shown = path.clipped(to: 300)
        do {
            guard let status = try files.status(path) else {
                throw SecretFailure("there is no file `\(shown)`", help: "make it, with the secret in it and mode 0600")
            }
            try check(status, path: path)
            let handle = try files.open(path, .read)
            defer { handle.close() }
            let bytes = try handle.allBytes(most: SecretReader.bytesMost + 1)
            return try text(bytes, of: "`\(shown)`")
        } catch {
            throw failure(error, shown: shown)
        }
    }

    package func text(ofEnvironment name: String) throws(SecretFailure) -> String {
        guard let value = environment[name] else {
            let near = Nearest.sentence(name, among: environment.keys.sorted())
            throw SecretFailure(
                "there is no environment variable `\(name.clipped)`", help: near ?? "set it before Weir starts")
        }
        return try text(Array(value.utf8), of: "`\(name.clipped)`")
    }

    private func check(_ status: FileStatus, path: String) throws(SecretFailure) {
        guard status.kind == .file else {
            throw SecretFailure("`\(path.clipped(to: 300))` is not a file", help: "name a file that holds the secret")
        }
        if SecretReader.guardedFolders.contains(where: { path.hasPrefix($0) }) { return }
        if status.permissions & 0o027 != 0 {
            let mode = "0" + String(status.permissions, radix: 8)
            let who = status.permissions & 0o004 != 0 ? "everybody may read" : "others may change"
            throw SecretFailure(
                "\(who) `\(path.clipped(to: 300))` (mode \(mode))", help: "run `chmod 600 \(path.clipped(to: 300))`")
        }
    }

    /// The text without the line break that editors and `echo` add.
    private func text(_ bytes: [UInt8], of what: String) throws(SecretFailure) -> String {
        var bytes = bytes[...]
        if bytes.count > SecretReader.bytesMost {
            throw SecretFailure("\(what) is larger than 64KiB", help: "keep one secret in it and nothing else")
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        if bytes.isEmpty { throw SecretFailure("\(what) is empty", help: "put the secret into it") }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SecretFailure("\(what) is not text", help: "write the secret as UTF-8 text")
        }
        return text
    }

    private func failure(_ error: any Error, shown: String) -> SecretFailure {
        if let failure = error as? SecretFailure { return failure }
        return SecretFailure("`\(shown)` cannot be read: \(error)", help: "let this user read it")
    }
}
