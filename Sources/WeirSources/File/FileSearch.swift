import WeirWorld

/// Finds the files that patterns name and, at the start, those that were rotated while Weir was not running. Blocking.
struct FileSearch: Sendable {
    struct Found: Sendable {
        var path: String
        var status: FileStatus
        /// Set for the copy of a file that was copied and cut: how far the original was read.
        var original: FileCheckpoint?
    }

    struct Answer: Sendable {
        var named: [Found] = []
        /// Beside those that the patterns name: renamed files, and copies of files that were cut.
        var rotated: [Found] = []
        /// More files than `most`: some were left out.
        var isCut = false
    }

    let patterns: [FilePattern]
    let most: Int
    let files: any FileSystem
    /// What is looked for beside the patterns; empty but for the first look.
    let checkpoints: [FileCheckpoint]

    func run() -> Answer {
        var answer = Answer()
        var seen: Set<String> = []
        for path in patterns.flatMap({ $0.files(in: files) }) where seen.insert(path).inserted {
            if let status = (try? files.status(path)) ?? nil { answer.named.append(Found(path: path, status: status)) }
        }
        if !checkpoints.isEmpty { findRotated(&answer, seen) }
        answer.isCut = answer.named.count > most
        answer.named = Array(answer.named.prefix(most))
        return answer
    }

    private func findRotated(_ answer: inout Answer, _ named: Set<String>) {
        var others: [Found] = []
        let directories = Set((patterns.map(\.text) + answer.named.map(\.path)).map(Self.directory))
        for directory in directories.sorted() {
            for name in (try? files.list(directory.isEmpty ? "." : directory)) ?? [] {
                let path = directory.isEmpty ? name : (directory == "/" ? "/" + name : directory + "/" + name)
                guard !named.contains(path), let status = (try? files.status(path)) ?? nil, status.kind == .file else {
                    continue
                }
                others.append(Found(path: path, status: status))
            }
        }
        for checkpoint in checkpoints where isCut(checkpoint, among: answer.named) {
            if let place = answer.named.firstIndex(where: { isCopy($0, of: checkpoint) }) {
                answer.named[place].original = checkpoint
            } else if let place = others.firstIndex(where: { isCopy($0, of: checkpoint) }) {
                others[place].original = checkpoint
            }
        }
        answer.rotated = others.filter { other in
            other.original != nil || checkpoints.contains { $0.isOf(other.status) }
        }
    }

    /// True when the file was cut since: it is shorter, or begins in another way.
    private func isCut(_ checkpoint: FileCheckpoint, among named: [Found]) -> Bool {
        guard checkpoint.offset > 0, let file = named.first(where: { checkpoint.isOf($0.status) }) else { return false }
        return file.status.length < checkpoint.offset || !begins(file.path, as: checkpoint)
    }

    private func isCopy(_ file: Found, of checkpoint: FileCheckpoint) -> Bool {
        !checkpoints.contains { $0.isOf(file.status) } && file.status.length >= checkpoint.offset
            && begins(file.path, as: checkpoint)
    }

    private func begins(_ path: String, as checkpoint: FileCheckpoint) -> Bool {
        guard let file = try? files.open(path, .read) else { return false }
        defer { file.close() }
        return (try? Self.head(of: file)).map(checkpoint.begins) ?? false
    }

    /// The first bytes, by which a file is known again.
    static func head(of handle: any FileHandle) throws(FileFailure) -> [UInt8] {
        var head = [UInt8](repeating: 0, count: FileCheckpoint.headMost)
        var failure: FileFailure?
        let count = head.withUnsafeMutableBytes { bytes -> Int in
            do throws(FileFailure) { return try handle.read(into: bytes, at: 0) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(head.prefix(count))
    }

    private static func directory(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
