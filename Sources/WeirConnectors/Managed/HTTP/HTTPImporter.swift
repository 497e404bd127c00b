import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import WeirExpressions
import WeirGates
import WeirSettings
import WeirWires
import WeirWorld

import struct Foundation.Data

/// Fetches a URL, page by page, and takes what is in it.
package struct HTTPImporter: ManagedImporter {
    private let settings: HTTPConnectorSettings
    private let means: ManagedMeans

    package init(_ settings: HTTPConnectorSettings, _ means: ManagedMeans) {
        self.settings = settings
        self.means = means
    }

    package func run(state: String?, into outlet: EventOutlet) async throws -> String? {
        let timeout = settings.timeout
        let time = means.world.time
        return try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { try await self.fetch(state: state, into: outlet) }
            group.addTask {
                try await time.sleep(for: timeout)
                throw RunFailure("run_timeout", "The run was still going on after \(timeout.shortText) (`timeout`).")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func fetch(state text: String?, into outlet: EventOutlet) async throws -> String? {
        guard var address = FeedAddress(settings.url) else {
            throw RunFailure("invalid_url", "`\(settings.url.clipped)` is no URL that can be fetched.")
        }
        let expressions = try FeedExpressions(settings)
        let old = try FeedState(text)
        if let file = address.file { return try await read(file, old, expressions, into: outlet) }
        for (name, value) in try expressions.parameters(state: old.state, now: means.world.time.wall) {
            address.set(name, value)
        }
        if settings.format == .taxii, let after = old.addedAfter { address.set("added_after", after) }
        var pages = FeedPages(settings.pagination, isTAXII: settings.format == .taxii, first: address)
        var next = old
        var bytes: Int64 = 0
        while true {
            let isFirst = pages.count == 0
            let response = try await request(pages.address, old: isFirst ? old : nil)
            if response.status.code == 304 {
                try await drain(response.body)
                return isFirst ? nil : next.text
            }
            guard (200..<300).contains(response.status.code) else { throw await failure(response, pages.address) }
            if isFirst, settings.conditional {
                next.etag = response.headers.first(name: "ETag")
                next.lastModified = response.headers.first(name: "Last-Modified")
            }
            if let added = response.headers.first(name: "X-TAXII-Date-Added-Last") { next.addedAfter = added }
            var body = FeedBody(settings)
            var items = 0
            do {
                for try await piece in response.body {
                    bytes += Int64(piece.readableBytes)
                    guard bytes <= settings.sizeMost.bytes else { throw tooLarge(pages.address.name) }
                    try body.feed(piece)
                    items += try await hand(&body, &next, expressions, outlet)
                }
                // An empty answer has nothing; only of a document more is expected.
                if response.status.code != 204 { try body.finish() }
                items += try await hand(&body, &next, expressions, outlet)
            } catch {
                throw said(error, pages.address.name)
            }
            let page = FeedPages.Page(items: items, links: response.headers["Link"], notes: body.notes)
            if try !pages.advance(after: page) { return next.text }
        }
    }

    /// - Returns: how many events the page had, taken or not.
    private func hand(
        _ body: inout FeedBody, _ state: inout FeedState, _ expressions: FeedExpressions, _ outlet: EventOutlet
    ) async throws -> Int {
        let taken = body.takeLines()
        if taken.count == 0 { return 0 }
        let kept = try expressions.fold(taken.lines, count: taken.count, state: &state.state)
        try await outlet.write(kept.lines, count: kept.count)
        return taken.count
    }

    // MARK: Requests

    private func request(_ address: FeedAddress, old: FeedState?) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.text)
        request.method = settings.method == .post ? .POST : .GET
        request.headers.add(name: "User-Agent", value: "weir")
        if settings.format == .taxii {
            request.headers.add(name: "Accept", value: "application/taxii+json;version=2.1")
        }
        if settings.conditional, settings.method == .get, let old {
            if let etag = old.etag { request.headers.add(name: "If-None-Match", value: etag) }
            if let modified = old.lastModified { request.headers.add(name: "If-Modified-Since", value: modified) }
        }
        if settings.method == .post {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: settings.body))
        }
        if let basic = settings.auth?.basic {
            let pair = Data("\(basic.user):\(basic.password.text)".utf8).base64EncodedString()
            request.headers.add(name: "Authorization", value: "Basic \(pair)")
        }
        if let bearer = settings.auth?.bearer {
            request.headers.add(name: "Authorization", value: "Bearer \(bearer.text)")
        }
        if let header = settings.auth?.header {
            request.headers.replaceOrAdd(name: header.name, value: header.value.text)
        }
        for (name, value) in settings.headers.sorted(by: { $0.key < $1.key }) {
            request.headers.replaceOrAdd(name: name, value: value)
        }
        let client = means.http
        let limit = settings.requestTimeout
        let time = means.world.time
        do {
            return try await withThrowingTaskGroup(of: HTTPClientResponse?.self) { [request] group in
                group.addTask { try await client.execute(request, deadline: .distantFuture) }
                group.addTask {
                    try await time.sleep(for: limit)
                    return nil
                }
                defer { group.cancelAll() }
                guard let response = try await group.next() ?? nil else {
                    throw RunFailure("http_timeout", "\(address.name) did not answer within \(limit.shortText).")
                }
                return response
            }
        } catch {
            throw said(error, address.name)
        }
    }

    private func drain(_ body: HTTPClientResponse.Body) async throws { for try await _ in body {} }

    private func failure(_ response: HTTPClientResponse, _ address: FeedAddress) async -> RunFailure {
        let code = Int(response.status.code)
        var said = ByteBuffer()
        do {
            for try await piece in response.body {
                said.writeImmutableBuffer(piece)
                if said.readableBytes > 500 { break }
            }
        } catch {}
        var text = said.withUnsafeReadableBytes { excerpt($0) }
        for secret in settings.auth?.secrets ?? [] { text = text.replacing(secret, with: "***") }
        var sentence = "\(address.name) answered \(code)"
        if (300..<400).contains(code), let to = response.headers.first(name: "Location") {
            sentence += ": moved to \(to.clipped); write that URL"
        } else if !text.isEmpty {
            sentence += ": \(text)"
        }
        let wait = response.headers.first(name: "Retry-After").flatMap(pause)
        return RunFailure("http_\(code)", sentence + ".", retryAfter: wait)
    }

    /// Retry-After as it was said; the scheduler bounds it.
    private func pause(_ value: String) -> Duration? {
        let text = value.filter { $0 != " " }
        if let seconds = Int(text), seconds >= 0 { return .seconds(min(seconds, 864_000)) }
        return HTTPDate.parse(value[...]).map { max(.zero, $0 - means.world.time.wall) }
    }

    private func tooLarge(_ name: String) -> RunFailure {
        RunFailure(
            "too_large", "What \(name) answered is larger than \(settings.sizeMost.shortText) (`size_most`).")
    }

    private func said(_ error: any Error, _ name: String) -> any Error {
        switch error {
        case is CancellationError, is RunFailure, is ConnectorFailure: error
        case let mistake as BundleMistake: RunFailure(mistake.code, "\(name): \(mistake.sentence)")
        default:
            Task.isCancelled
                ? CancellationError()
                : RunFailure("connection_failed", "\(name) could not be fetched: \(error)".clipped(to: 300))
        }
    }

    // MARK: Files

    private static let pieceBytes = 256 << 10

    private func read(
        _ path: String, _ old: FeedState, _ expressions: FeedExpressions, into outlet: EventOutlet
    ) async throws -> String? {
        let files = means.world.files
        let lane = means.world.blocking.lane("file-connector")
        defer { lane.close() }
        var next = old
        do {
            let opened = try await lane.run { () throws(FileFailure) -> (any FileHandle, String, Int64)? in
                guard let status = try files.status(path), status.kind == .file else { return nil }
                return (try files.open(path, .read), "\(status.length) \(status.modified.nanoseconds)", status.length)
            }
            guard let (file, mark, length) = opened else {
                throw RunFailure("not_found", "There is no file `\(path.clipped)`.")
            }
            defer { lane.enqueue { file.close() } }
            if settings.conditional, mark == old.file { return nil }
            guard length <= settings.sizeMost.bytes else { throw tooLarge(path) }
            next.file = mark
            var body = FeedBody(settings)
            var offset: Int64 = 0
            while true {
                try Task.checkCancellation()
                let from = offset
                let piece = try await lane.run { () throws(FileFailure) -> ByteBuffer in
                    var buffer = ByteBuffer()
                    var failure: FileFailure?
                    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.pieceBytes) { room in
                        do throws(FileFailure) { return try file.read(into: room, at: from) } catch {
                            failure = error
                            return 0
                        }
                    }
                    if let failure { throw failure }
                    return buffer
                }
                if piece.readableBytes == 0 { break }
                offset += Int64(piece.readableBytes)
                try body.feed(piece)
                _ = try await hand(&body, &next, expressions, outlet)
            }
            try body.finish()
            _ = try await hand(&body, &next, expressions, outlet)
        } catch let failure as FileFailure {
            throw RunFailure(failure.kind.rawValue, "The file `\(path.clipped)` cannot be read: \(failure).")
        } catch {
            throw said(error, path)
        }
        return next.text
    }
}
