import NIOCore
import WeirExpressions
import WeirGates

/// Finds the way through a TAXII 2.1 server: discovery → API roots → collections → objects (sections 4 and 5).
struct TAXIIServer {
    static let mediaType = "application/taxii+json;version=2.1"
    /// The newest date of a page's objects: what to ask for the next time.
    static let newestHeader = "X-TAXII-Date-Added-Last"

    private static let documentMost = 4 << 20

    /// Gets a document, bounded in bytes.
    let get: (FeedAddress, _ most: Int) async throws -> ByteBuffer

    private struct Collection {
        var names: [String]
        var isReadable: Bool
        var objects: FeedAddress
        var title: String { names.last ?? "" }
    }

    /// The addresses of the objects of the wanted collections.
    /// - Parameter wanted: titles, ids or aliases; all that can be read when empty.
    func objects(from url: FeedAddress, wanted: [String]) async throws -> [FeedAddress] {
        if url.path.hasSuffix("/objects") || url.path.hasSuffix("/objects/") { return [url] }
        let found = try await collections(from: url)
        if wanted.isEmpty {
            let readable = found.filter(\.isReadable).map(\.objects)
            if readable.isEmpty {
                throw RunFailure("no_collections", "\(url.name) has no collection that we may read (`auth`).")
            }
            return readable
        }
        return try wanted.map { name in
            guard let collection = found.first(where: { $0.names.contains(name) }) else {
                let titles = found.prefix(10).map { "`\($0.title)`" }.joined(separator: ", ")
                throw RunFailure(
                    "no_collections",
                    "\(url.name) has no collection `\(name.clipped)` (`taxii.collections`). It has: "
                        + (titles.isEmpty ? "none." : titles + "."))
            }
            guard collection.isReadable else {
                throw RunFailure(
                    "no_collections", "\(url.name) does not let us read its collection `\(name.clipped)` (`auth`).")
            }
            return collection.objects
        }
    }

    private func collections(from url: FeedAddress) async throws -> [Collection] {
        let document = try await document(url)
        if case .list(let roots)? = document["api_roots"] {
            var all: [Collection] = []
            for case .string(let root) in roots {
                guard let address = url.following(root) else {
                    throw RunFailure("not_taxii", "\(url.name) names `\(root.clipped)` as an API root: no URL.")
                }
                all += try await listed(at: address.appending("collections/"))
            }
            return all
        }
        if document["versions"] != nil { return try await listed(at: url.appending("collections/")) }
        if document["collections"] != nil { return Self.read(document, at: url) }
        if let one = Self.collection(document, at: url) { return [one] }
        throw RunFailure(
            "not_taxii",
            "\(url.name) answers with JSON, but neither as discovery, API root nor collection of TAXII 2.1 (`url`).")
    }

    private func listed(at address: FeedAddress) async throws -> [Collection] {
        Self.read(try await document(address), at: address)
    }

    private static func read(_ document: ValueMap, at address: FeedAddress) -> [Collection] {
        guard case .list(let items)? = document["collections"] else { return [] }
        return items.compactMap { item in
            guard case .map(let map) = item, case .string(let id)? = map["id"] else { return nil }
            return collection(map, at: address.appending(FeedAddress.encoded(id) + "/"))
        }
    }

    private static func collection(_ map: ValueMap, at address: FeedAddress) -> Collection? {
        guard case .bool(let isReadable)? = map["can_read"] else { return nil }
        let names = ["id", "alias", "title"].compactMap { key -> String? in
            if case .string(let text)? = map[key] { text } else { nil }
        }
        return Collection(names: names, isReadable: isReadable, objects: address.appending("objects/"))
    }

    private func document(_ address: FeedAddress) async throws -> ValueMap {
        let bytes = try await get(address, Self.documentMost)
        guard case .map(let map)? = bytes.withUnsafeReadableBytes({ Value(json: $0) }) else {
            throw RunFailure("not_taxii", "\(address.name) answers with something that is no JSON object (`url`).")
        }
        return map
    }
}
