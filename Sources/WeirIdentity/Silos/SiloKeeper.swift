/// What the engine asks of silos: scans (through the input gate, into the object store), the graph of what is kept, and
/// the providers that write. Made by the rooms of records, silos and graph; the engine knows no more of them.
package protocol SiloKeeper: Sendable {
    /// In the order of the configuration.
    var kinds: [ObjectKind] { get }
    func provider(_ silo: String) -> (any SiloProvider)?
    func views() async -> [SiloView]
    /// Reads one kind and keeps what came through the gate. Never throws: what went wrong stands in the view.
    func scan(_ kind: ObjectKind, isFull: Bool, id: String) async -> ScanView
    /// A quarantined scan's data is taken after all.
    func accept(scan id: String, by person: Person, reason: String) async throws(IdentityRefusal)
    /// The last sequence number that is kept: a delta that runs looks whether more came in.
    func sequence() async throws -> Int64
    func snapshot() async throws -> any IdentitySnapshot
    /// Kinds that are read with another base, filter or table than when somebody last looked at a preview: what is
    /// missing now may only have been left out.
    func kindsWithoutPreview() async throws -> [ObjectKind]
    /// A preview of everybody was made of these kinds as they are read now.
    func notePreview(of kinds: [ObjectKind]) async throws
    /// The object was read or written just now; the store takes it as a scan of this one object would. Nil: it is gone.
    func refresh(_ kind: ObjectKind, anchor: String, _ object: SiloObject?) async throws
}
