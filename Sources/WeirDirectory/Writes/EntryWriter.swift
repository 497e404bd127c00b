/// Writes single entries so that every write may be repeated: what is already so is seen to be so and left alone, and
/// what was written is looked at.
///
/// A success is believed where it is the server's own statement about the whole entry (delete); after a change of
/// values the entry is read, with the answer itself where the server can (RFC 4527).
package struct EntryWriter: Sendable {
    /// An entry by what stays with it, or by its name alone.
    package struct Target: Sendable, Hashable {
        package var name: String
        package var anchor: String?

        package init(_ name: String, anchor: String? = nil) {
            self.name = name
            self.anchor = anchor
        }
    }

    /// What happens to one attribute.
    package struct Edit: Sendable, Hashable {
        package var attribute: String
        package var adds: [[UInt8]]
        package var removes: [[UInt8]]
        /// The attribute takes the values of `adds` and no others.
        package var isReplaced: Bool
        /// A password: it cannot be read, so neither compared nor looked at afterwards.
        package var isHidden: Bool

        package init(
            _ attribute: String, adds: [[UInt8]] = [], removes: [[UInt8]] = [], isReplaced: Bool = false,
            isHidden: Bool = false
        ) {
            self.attribute = attribute
            self.adds = adds
            self.removes = removes
            self.isReplaced = isReplaced
            self.isHidden = isHidden
        }
    }

    package enum Outcome: Sendable, Equatable {
        case written(anchor: String?)
        case alreadySo(anchor: String?)
    }

    let pool: DirectoryPool
    /// Below which entries are looked for by their anchors, and which must be there before "no such entry" is believed.
    let base: String

    package init(_ pool: DirectoryPool, base: String) {
        self.pool = pool
        self.base = base
    }

    /// One after the other for each entry, in the order of the calls.
    func inTurn<Value>(
        _ name: String, _ body: (RootEntry) async throws(DirectoryWriteProblem) -> Value
    ) async throws(DirectoryWriteProblem) -> Value {
        let result: Result<Value, DirectoryWriteProblem>
        do throws(DirectoryFailure) {
            let root = try await pool.root()
            result = try await pool.turns.run(DistinguishedName.key(of: name)) {
                () async throws(DirectoryFailure) -> Result<Value, DirectoryWriteProblem> in
                do throws(DirectoryWriteProblem) { return .success(try await body(root)) } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .failure(error, isUncertain: false)
        }
        return try result.get()
    }

    /// The entry as it is now, by its anchor where it has one: another entry may have its name meanwhile.
    /// - Returns: nil where it certainly is not there.
    package func find(
        _ target: Target, _ attributes: [String], _ root: RootEntry
    ) async throws(DirectoryWriteProblem) -> EntryPage.Entry? {
        let wanted = attributes + [root.anchorAttribute, root.versionAttribute]
        let named = try await pool.entry(target.name, wanted)
        guard let anchor = target.anchor else { return named }
        if let named, EntryAnchor.text(of: named, root)?.lowercased() == anchor.lowercased() { return named }
        let answer = try await pool.look(
            .init(base: base, scope: .subtree, filter: EntryAnchor.filter(anchor, root), attributes: wanted),
            controls: root.kind == .activeDirectory ? [.domainScope] : [])
        guard answer.scanProblem == nil else { throw .refused(answer.code, text: answer.diagnostic) }
        return answer.page.first
    }

    /// - Throws: when the base is not there, or cannot be read: then "no such entry" says nothing.
    package func checkBase() async throws(DirectoryWriteProblem) {
        guard try await pool.entry(base, ["1.1"]) != nil else {
            throw .refused(.noSuchObject, text: "the base \(base) is not there, so nothing is known of what is in it")
        }
    }
}
