import WeirStore
import WeirWorld

extension Connectors {
    package func addWork(_ id: ConnectorID, name: String, isMultipart: Bool) async throws(ConnectorFailure) -> Work {
        if !book.with({ $0.works.knowsNewest(of: id) }) {
            let newest = try? await book.ledger.documents(in: ConnectorDocuments.works, owner: id, most: 1).first
            if let newest { book.with { $0.works.newest(of: id, startedAt: newest.time) } }
        }
        let wall = world.time.wall
        let name = String(decoding: name.utf8.prefix(WorkBook.noteBytesMost), as: UTF8.self)
        let work = try await book.commit(id) { state throws(ConnectorFailure) in
            guard state.registry[id] != nil else { throw .unknown(id) }
            let work = state.works.add(connector: id, name: name, at: wall)
            if state.registry.workBegins(id) { state.changedRecords.insert(id) }
            return (
                work, [.keepNewest(WorkBook.keptMost, collection: ConnectorDocuments.works, owner: id)]
            )
        }
        return work
    }

    package func expect(_ work: WorkID, _ count: Int) async throws(ConnectorFailure) {
        try await change(work) { $0.expected = max(0, $0.expected.addingReportingOverflow(count).partialValue) }
    }

    package func received(_ work: WorkID, message: String?) async throws(ConnectorFailure) {
        let wall = world.time.wall
        try await change(work) { work in
            work.receivedAt = work.receivedAt ?? wall
            work.note(message, isError: false, at: wall)
        }
    }

    package func processed(_ work: WorkID, message: String?, isError: Bool) async throws(ConnectorFailure) {
        let wall = world.time.wall
        try await change(work) { work in
            work.processedAt = wall
            work.note(message, isError: isError, at: wall)
        }
    }

    private func change(
        _ id: WorkID, _ body: @Sendable (inout Work) -> Void
    ) async throws(ConnectorFailure) {
        // One that is complete lives in the ledger; its connector may still add to it.
        guard let connector = await book.load(id)?.connector else { throw .unknownWork(id) }
        let wall = world.time.wall
        try await book.commit(connector) { state throws(ConnectorFailure) in
            guard state.works.change(id, at: wall, body) != nil else { throw .unknownWork(id) }
            return ((), [])
        }
    }

    package func work(_ id: WorkID) async -> Work? {
        if let work = book.with({ $0.works[id] }) { return work }
        guard let document = try? await book.ledger.document(ConnectorDocuments.works, id) else { return nil }
        return try? ConnectorDocuments.work(document)
    }

    package func works(of id: ConnectorID?, most: Int) async -> [Work] {
        let before = book.with { state in
            Set(id.map { state.works.works(of: $0) }?.map(\.id) ?? state.works.works.keys.map { $0 })
        }
        let documents: [LedgerDocument]
        do throws(StoreFailure) {
            documents =
                if let id {
                    try await book.ledger.documents(in: ConnectorDocuments.works, owner: id, most: most)
                } else {
                    try await book.ledger.newestDocuments(in: ConnectorDocuments.works, most: most)
                }
        } catch {
            return []
        }
        // What is in memory is newer.
        let written = documents.compactMap { try? ConnectorDocuments.work($0) }
        let now = book.with { state in written.map { state.works[$0.id] } }
        var works: [Work] = []
        for (written, now) in zip(written, now) {
            if let now {
                works.append(now)
            } else if before.contains(written.id) {
                // It was completed, written and left memory meanwhile: what was read may be from before that.
                works.append(await work(written.id) ?? written)
            } else {
                works.append(written)
            }
        }
        return works
    }

    package func deleteWork(_ id: WorkID) async throws(ConnectorFailure) {
        guard let connector = await book.load(id)?.connector else { throw .unknownWork(id) }
        try await book.commit(connector) { state throws(ConnectorFailure) in
            state.works.remove(id)
            return ((), [.remove(collection: ConnectorDocuments.works, id: id)])
        }
    }
}
