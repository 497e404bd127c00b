import WeirDirectory
package import WeirWorld

/// A directory in one LDIF file: what `ldapsearch -LLL` and `slapcat` write, for trials with nothing installed and for
/// directories that only send exports.
///
/// An entry is identified by its `entryUUID`, or, where the file has none, by its name. Each change reads the file and
/// puts another one in its place that differs in that entry only. No schema is known: of the rules of a directory those
/// are kept that a plan meets (a parent is there, what has children stays, a group of names has a member).
package final class LDIFSilo: SiloProvider {
    /// Which entries are objects of a kind.
    package struct Base: Sendable, Hashable {
        /// They are below the entry of this name.
        package var name: String
        /// In lower case: they have this object class; any when nil.
        package var objectClass: String?

        package init(name: String, objectClass: String? = nil) {
            self.name = name
            self.objectClass = objectClass?.lowercased()
        }
    }

    /// A base whose name was read.
    struct Part: Sendable {
        var base: DistinguishedName
        var objectClass: String?
    }

    /// Larger files are refused: each change writes all of it.
    package static let bytesMost: Int64 = 1 << 30

    package let abilities: SiloAbilities
    let path: String
    private let bases: [ObjectKind: Base]
    private let lists: Set<String>
    let world: World
    private let lane: any BlockingLane

    /// - Parameter lists: attributes that are lists beside those of every directory.
    package init(
        path: String, bases: [ObjectKind: Base], lists: Set<String> = [], isReadOnly: Bool = false, world: World
    ) {
        self.path = path
        self.bases = bases
        self.lists = lists
        self.world = world
        abilities = SiloAbilities(delta: false, writes: !isReadOnly)
        lane = world.blocking.lane("ldif")
    }

    deinit { lane.close() }

    package func schema(of kind: ObjectKind) async -> ObjectSchema {
        ObjectSchema(
            lists: ObjectSchema.directory.lists.union(lists), references: ObjectSchema.directory.references)
    }

    package func scope(of kind: ObjectKind) -> String {
        "ldif \(path) \(bases[kind]?.name ?? "") \(bases[kind]?.objectClass ?? "")"
    }

    var file: WholeFile { WholeFile(path: path, most: Self.bytesMost, files: world.files) }
    var place: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Runs blocking work on the silo's own thread, one piece after the other.
    private func onLane<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws(ScanFailure) -> Value {
        do {
            return try await lane.run(body)
        } catch let failure as ScanFailure {
            throw failure
        } catch let trouble as LDIFReader.Trouble {
            throw self.failure(trouble)
        } catch {
            throw ScanFailure(code: "io_error", text: "\(path): \(error)", isPassing: true)
        }
    }

    func failure(_ trouble: LDIFReader.Trouble) -> ScanFailure {
        ScanFailure(
            code: trouble.isPassing ? "cut_off" : "bad_ldif", text: "\(path):\(trouble.line): \(trouble.text)",
            isPassing: trouble.isPassing)
    }

    func part(_ kind: ObjectKind) throws(ScanFailure) -> Part {
        guard let base = bases[kind] else {
            throw ScanFailure(code: "no_such_type", text: "\(path) has no objects of \(kind)", isPassing: false)
        }
        do {
            return Part(base: try DistinguishedName(base.name), objectClass: base.objectClass)
        } catch {
            throw ScanFailure(
                code: "invalid_name", text: "the base '\(base.name)' of \(kind) is no name of an entry: \(error)",
                isPassing: false)
        }
    }

    // MARK: SiloProvider

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        let part = try part(request.kind)
        var rows = LDIFRows(LDIFReader(try await onLane { try self.file.read().bytes }), part, place: place)
        while true {
            let start = rows
            // Batch by batch on the lane: a large file is never read on the threads of tasks.
            let (next, batch) = try await onLane { () throws -> (LDIFRows, RecordBatch) in
                var rows = start
                let batch = try rows.batch()
                return (rows, batch)
            }
            rows = next
            if batch.isEmpty { break }
            try await hand(over: batch, take)
        }
        return ScanEnd(refused: rows.refused)
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        let part = try part(kind)
        return try await onLane {
            guard let entry = try LDIFDirectory(self).entry(anchor: anchor, name: name),
                LDIFRows.isObject(entry, of: part)
            else { return nil }
            return SiloObject(
                kind: kind, anchor: LDIFRows.anchor(entry), name: entry.name, attributes: entry.attributes)
        }
    }

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        do throws(ScanFailure) {
            let part = try part(change.target)
            return try await onLane { try LDIFEdit(silo: self, part: part).carryOut(change, secrets) }
        } catch {
            return error.isPassing
                ? .failed(code: error.code, text: error.text) : .refused(code: error.code, text: error.text)
        }
    }
}
