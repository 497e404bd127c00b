import Synchronization

/// Documents that were parsed before: a client sends the same few texts again and again.
final class GraphDocumentCache: Sendable {
    /// Texts kept; pycti has about a dozen. When it is full, it starts again from nothing.
    static let most = 128
    /// Longer texts are parsed each time.
    static let lengthMost = 8 * 1_024

    private let documents = Mutex<[String: GraphDocument]>([:])

    func document(_ text: String) throws(GraphProblem) -> GraphDocument {
        if let known = documents.withLock({ $0[text] }) { return known }
        let document = try GraphParser.parse(text)
        guard text.utf8.count <= GraphDocumentCache.lengthMost else { return document }
        documents.withLock { documents in
            if documents.count >= GraphDocumentCache.most { documents.removeAll(keepingCapacity: true) }
            documents[text] = document
        }
        return document
    }
}
