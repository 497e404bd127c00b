internal import WeirGates
package import WeirSettings
package import WeirWorld

/// Reads a configuration from YAML: one file, or every `*.yaml` and `*.yml` of a folder, in the order of their names.
///
/// Blocking: call it on a `BlockingLane`. Never throws: what is wrong comes as problems, each with its place.
package struct YAMLReader: Sendable {
    package var limits: YAMLLimits

    package init(limits: YAMLLimits = YAMLLimits()) { self.limits = limits }

    /// What was read. `node` is `nil` when there is nothing to go on with; otherwise the problems are those that leave
    /// the tree whole (duplicate keys), to be shown with what the fields find.
    package struct Result: Sendable {
        package var node: SettingNode?
        package var problems: [SettingProblem]

        package init(node: SettingNode?, problems: [SettingProblem]) {
            self.node = node
            self.problems = problems
        }
    }

    /// - Parameter file: the name for messages.
    package func read(_ bytes: [UInt8], file: String) -> Result {
        let (node, problems) = YAMLTree.read(bytes, file: file, limits: limits)
        return Result(node: node, problems: problems)
    }

    package func read(text: String, file: String) -> Result { read(Array(text.utf8), file: file) }

    /// Reads a file or a folder.
    package func read(path: String, files: any FileSystem) -> Result {
        do throws(FileFailure) {
            guard let status = try files.status(path) else {
                return refused(
                    "there is no file `\(path.clipped(to: 300))`",
                    help: "name another one, begin with one of the examples, or try `weir demo`")
            }
            if status.kind == .directory { return try readFolder(path, files: files) }
            return try readFile(path, files: files)
        } catch {
            return refused(
                "`\(path.clipped(to: 300))` cannot be read: \(error)",
                help: "check that it exists and that this user may read it")
        }
    }

    private func refused(_ message: String, help: String) -> Result {
        Result(node: nil, problems: [SettingProblem(message, help: help)])
    }

    private func readFile(_ path: String, files: any FileSystem) throws(FileFailure) -> Result {
        let handle = try files.open(path, .read)
        defer { handle.close() }
        // One byte more than allowed tells a file that is too large, and devices and pipes have no length to ask for.
        let bytes = try handle.allBytes(most: limits.bytes + 1)
        return read(bytes, file: path)
    }

    private func readFolder(_ path: String, files: any FileSystem) throws(FileFailure) -> Result {
        let folder = path.hasSuffix("/") ? path : path + "/"
        let names = try files.list(path).filter {
            ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".")
        }
        if names.isEmpty {
            return refused(
                "there is no `*.yaml` file in `\(path.clipped(to: 300))`",
                help: "name a file or another folder with `--config`")
        }
        var merge = YAMLMerge()
        for name in names {
            do throws(FileFailure) {
                let part = try readFile(folder + name, files: files)
                merge.add(part)
            } catch {
                merge.add(
                    refused("`\(folder + name)` cannot be read: \(error)", help: "check that this user may read it"))
            }
        }
        return merge.result
    }
}

/// Lays the files of a folder on top of one another: sections join, lists follow one another, and a name that two files
/// define is an error that shows both, never a silent winner.
struct YAMLMerge {
    private var entries: [SettingEntry] = []
    private var origin: SettingOrigin?
    private var problems: [SettingProblem] = []
    private var isWhole = true

    var result: YAMLReader.Result {
        YAMLReader.Result(
            node: isWhole ? SettingNode(.map(entries), origin: origin ?? .standard) : nil, problems: problems)
    }

    mutating func add(_ part: YAMLReader.Result) {
        problems += part.problems
        guard let node = part.node else {
            isWhole = false
            return
        }
        origin = origin ?? node.origin
        switch node.content {
        case .null: break
        case .map(let added): for entry in added { addSection(entry) }
        case .scalar, .list:
            problems.append(
                SettingProblem(
                    "the configuration must be a group of settings, not \(node.found)", at: node.origin,
                    help: "write `key: value`"))
            isWhole = false
        }
    }

    private mutating func addSection(_ entry: SettingEntry) {
        guard let index = entries.firstIndex(where: { $0.key == entry.key }) else {
            entries.append(entry)
            return
        }
        switch (entries[index].value.content, entry.value.content) {
        case (_, .null): break
        case (.null, _): entries[index] = entry
        case (.list(let before), .list(let added)):
            entries[index].value.content = .list(before + added)
        case (.map(var before), .map(let added)):
            let known = Dictionary(before.map { ($0.key, $0.keyOrigin) }, uniquingKeysWith: { first, _ in first })
            for name in added {
                if let first = known[name.key] {
                    noteDouble("\(entry.key).\(name.key)", first: first, second: name.keyOrigin)
                } else {
                    before.append(name)
                }
            }
            entries[index].value.content = .map(before)
        default: noteDouble(entry.key, first: entries[index].keyOrigin, second: entry.keyOrigin)
        }
    }

    private mutating func noteDouble(_ path: String, first: SettingOrigin, second: SettingOrigin) {
        problems.append(
            SettingProblem(
                "`\(path.clipped(to: 300))` is defined twice", at: second, path: path,
                help: "it is also defined in \(first.precise); keep one of them, or give one another name"))
    }
}

extension FileHandle {
    /// The bytes from the start, at most `most`.
    func allBytes(most: Int) throws(FileFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
        defer { chunk.deallocate() }
        while bytes.count < most {
            let count = try read(into: chunk, at: Int64(bytes.count))
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<min(count, most - bytes.count)])
        }
        return bytes
    }
}
