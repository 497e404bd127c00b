import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import WeirExpressions
import WeirGates
import WeirSettings
import WeirWorld

/// Fetches a URL, page by page, and takes what is in it.
package struct HTTPImporter: ManagedImporter {
    private let settings: HTTPConnectorSettings
    private let means: ManagedMeans

    package init(_ settings: HTTPConnectorSettings, _ means: ManagedMeans) {
        self.settings = settings
        self.means = means
    }

    package func run(state: String?, into outlet: EventOutlet) async throws -> String? {
        let (timeout, silence) = (settings.timeout, settings.requestTimeout)
        let time = means.world.time
        let watch = SilenceWatch(time)
        return try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { try await self.fetch(state: state, into: outlet, watch) }
            group.addTask {
                try await time.sleep(for: timeout)
                throw RunFailure("run_timeout", "The run was still going on after \(timeout.shortText) (`timeout`).")
            }
            group.addTask {
                try await watch.keep(silence)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func fetch(
        state text: String?, into outlet: EventOutlet, _ watch: SilenceWatch
    ) async throws -> String? {
        guard let url = FeedAddress(settings.url) else {
            throw RunFailure("invalid_url", "`\(settings.url.clipped)` is no URL that can be fetched (`url`).")
        }
        let old = try FeedState(text)
        var intake = FeedIntake(try FeedExpressions(settings), settings, old, outlet)
        if let path = url.file { return try await read(path, old, &intake) }
        let requests = try await FeedRequests(settings, home: url, means)
        let parameters = try intake.expressions.parameters(state: old.state, now: means.world.time.wall)
        for start in try await starts(url, requests, watch) {
            var address = start
            for (name, value) in parameters { address.set(name, value) }
            if settings.format == .taxii {
                if let size = settings.taxii?.pageSize { address.set("limit", String(size)) }
                if let date = old.addedAfter[start.text] { address.set("added_after", date) }
            }
            let isNew = try await pages(from: address, named: start.text, requests, old, &intake, watch)
            if !isNew { return nil }
        }
        return intake.state.text
    }

    /// Where pages begin: the URL itself, or each collection of a TAXII server.
    private func starts(
        _ url: FeedAddress, _ requests: FeedRequests, _ watch: SilenceWatch
    ) async throws -> [FeedAddress] {
        guard settings.format == .taxii else { return [url] }
        let charset = settings.charset
        let server = TAXIIServer { address, most in
            let answer = try await requests.fetch(address, accept: TAXIIServer.mediaType)
            do {
                var text = try FeedText(answer.headers, charset: charset, most: ByteCount(most))
                var document = ByteBuffer()
                try await Self.take(answer, &text, watch) { document.writeImmutableBuffer($0) }
                return document
            } catch { throw FeedTrouble.said(error, address.name) }
        }
        return try await server.objects(from: url, wanted: settings.taxii?.collections ?? [])
    }

    /// - Parameter name: what the state calls these pages.
    /// - Returns: false where nothing has changed since the last run.
    private func pages(
        from address: FeedAddress, named name: String, _ requests: FeedRequests, _ old: FeedState,
        _ intake: inout FeedIntake, _ watch: SilenceWatch
    ) async throws -> Bool {
        let isTAXII = settings.format == .taxii
        var pages = FeedPages(settings.pagination, isTAXII: isTAXII, first: address)
        while true {
            let isFirst = pages.count == 0
            let mayBeMissing = pages.mayBeMissing
            let answer = try await requests.fetch(
                pages.address, known: isFirst && settings.isConditional ? old : nil,
                accept: isTAXII ? TAXIIServer.mediaType : nil, isGood: { mayBeMissing && $0 == 404 })
            if answer.isUnchanged { return false }
            if answer.status == .notFound { return true }
            if isFirst, settings.isConditional {
                intake.state.etag = answer.headers.first(name: "ETag")
                intake.state.lastModified = answer.headers.first(name: "Last-Modified")
            }
            let newest = isTAXII ? answer.headers.first(name: TAXIIServer.newestHeader) : nil
            do {
                intake.beginPage()
                var text = try FeedText(answer.headers, charset: settings.charset, most: intake.bytesLeft)
                try await Self.take(answer, &text, watch) { try await intake.take($0) }
                try await intake.endPage(mayBeEmpty: answer.status == .noContent)
            } catch { throw FeedTrouble.said(error, pages.address.name) }
            if let newest { intake.state.addedAfter[name] = newest }
            let page = FeedPages.Page(
                items: intake.items, links: answer.headers["Link"], notes: intake.notes, mark: intake.mark,
                newest: newest, answeredBy: answer.address)
            if try !pages.advance(after: page) { return true }
        }
    }

    /// The whole body of an answer, as text.
    private static func take(
        _ answer: FeedAnswer, _ text: inout FeedText, _ watch: SilenceWatch, _ body: (ByteBuffer) async throws -> Void
    ) async throws {
        let name = answer.address.name
        watch.begin(name)
        defer { watch.end() }
        for try await piece in answer.body {
            watch.end()
            text.give(piece)
            while let part = try text.next() { try await body(part) }
            watch.begin(name)
        }
        watch.end()
        text.end()
        while let part = try text.next() { try await body(part) }
    }

    private func read(_ path: String, _ old: FeedState, _ intake: inout FeedIntake) async throws -> String? {
        do {
            var text = try FeedText([:], charset: settings.charset, most: settings.sizeMost)
            intake.beginPage()
            let file = FeedFile(path: path, world: means.world)
            let known = settings.conditional == false ? nil : old.file
            let mark = try await file.read(unless: known, most: settings.sizeMost) { piece in
                text.give(piece)
                while let part = try text.next() { try await intake.take(part) }
            }
            guard let mark else { return nil }
            text.end()
            while let part = try text.next() { try await intake.take(part) }
            try await intake.endPage(mayBeEmpty: false)
            intake.state.file = mark
            return intake.state.text
        } catch { throw FeedTrouble.said(error, path) }
    }
}
