package import AsyncHTTPClient
import NIOHTTP1
import WeirExpressions
package import WeirWorld

/// A SCIM 2.0 service (RFC 7643, RFC 7644): users and groups, read page by page, written by POST, PATCH (PUT where the
/// service has no PATCH) and DELETE. What was written is read back; a resource that somebody else changed meanwhile
/// (ETag) is looked at again.
package final class SCIMSilo: SiloProvider {
    package struct Layout: Sendable {
        /// `https://app.example.org/scim/v2`.
        package var url: String
        package var token: String?
        /// 1 to 1,000. Default: 100.
        package var pageSize = 100
        /// For one answer, with the waits that the service asks for. Default: 30 s.
        package var timeout = Duration.seconds(30)
        /// Which resources, by type: a filter of RFC 7644.
        package var filters: [String: String] = [:]

        package init(url: String, token: String? = nil) {
            self.url = url
            self.token = token
        }
    }

    /// Resources that one scan may have; a service that never ends its list is not read for ever.
    private static let resourcesMost = 10_000_000

    package let abilities: SiloAbilities
    private let layout: Layout
    private let client: SCIMClient

    package init(_ layout: Layout, isReadOnly: Bool = false, http: HTTPClient, world: World) {
        self.layout = layout
        abilities = SiloAbilities(delta: false, writes: !isReadOnly)
        var base = layout.url
        while base.hasSuffix("/") { base.removeLast() }
        client = SCIMClient(base: base, token: layout.token, http: http, timeout: layout.timeout, time: world.time)
    }

    package func schema(of kind: ObjectKind) async -> ObjectSchema {
        ObjectSchema(lists: SCIMAttribute.listNames, references: ["members"])
    }

    package func scope(of kind: ObjectKind) -> String {
        "scim \(layout.url) \(kind.type) \(layout.filters[kind.type] ?? "")"
    }

    private func path(_ kind: ObjectKind, _ id: String? = nil) -> String {
        let base = kind.type == "group" ? "/Groups" : "/Users"
        return id.map { base + "/" + Self.escaped($0) } ?? base
    }

    /// For a URL: all but unreserved characters become percent signs (RFC 3986, 2.3).
    static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += byte < 16 ? "%0" + digits : "%" + digits
            }
        }
        return result
    }

    // MARK: Reading

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        var start = 1
        var builder = RecordBuilder()
        var refused: [RefusedRow] = []
        let filter = layout.filters[request.kind.type].map { "&filter=" + Self.escaped($0) } ?? ""
        while true {
            let page = try await page(request.kind, "startIndex=\(start)&count=\(layout.pageSize)" + filter)
            var batch = RecordBatch()
            for (at, value) in page.resources.enumerated() {
                guard let resource = SCIMResource(value) else {
                    refused.append(RefusedRow(place: "resource \(start + at)", reason: "it has no id"))
                    continue
                }
                do throws(RecordRefusal) {
                    try builder.append(resource.object(request.kind), to: &batch)
                } catch {
                    refused.append(RefusedRow(place: resource.id, reason: error.reason))
                }
            }
            if !batch.isEmpty { try await hand(over: batch, take) }
            start += page.resources.count
            if start > page.total { break }
            guard !page.resources.isEmpty, start < Self.resourcesMost else {
                throw ScanFailure(
                    code: "short_list",
                    text: "\(layout.url) says that there are \(page.total) resources and gave \(start - 1)",
                    isPassing: true)
            }
        }
        return ScanEnd(refused: Array(refused.prefix(1_000)))
    }

    private struct ListPage {
        var resources: [Value]
        var total: Int
    }

    private func page(_ kind: ObjectKind, _ query: String) async throws(ScanFailure) -> ListPage {
        let answer = try await get(path(kind) + "?" + query)
        guard answer.status == 200, case .map(let map)? = answer.json,
            case .int(let total)? = SCIMResource.field(map, "totalResults")
        else { throw refusal(answer, "cannot be listed") }
        var resources: [Value] = []
        if case .list(let list)? = SCIMResource.field(map, "Resources") { resources = list }
        return ListPage(resources: resources, total: Int(clamping: total))
    }

    private func get(_ path: String) async throws(ScanFailure) -> SCIMClient.Answer {
        do throws(SCIMClient.Failure) { return try await client.send(.GET, path) } catch { throw error.scanFailure }
    }

    private func refusal(_ answer: SCIMClient.Answer, _ what: String) -> ScanFailure {
        let isPassing = answer.status == 429 || answer.status >= 500
        let detail = answer.detail.isEmpty ? "" : ": " + answer.detail
        return ScanFailure(
            code: "http_\(answer.status)", text: "\(layout.url) \(what) (\(answer.status))\(detail)",
            isPassing: isPassing)
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        try await resource(kind, anchor, name)?.object(kind)
    }

    private func resource(
        _ kind: ObjectKind, _ anchor: String?, _ name: String
    ) async throws(ScanFailure) -> SCIMResource? {
        guard let anchor else {
            let attribute = kind.type == "group" ? "displayName" : "userName"
            let filter = "\(attribute) eq " + SCIMPatch.quoted(name)
            let found = try await page(kind, "filter=" + Self.escaped(filter))
            return found.resources.lazy.compactMap { SCIMResource($0) }.first { $0.object(kind).name == name }
        }
        let answer = try await get(path(kind, anchor))
        if answer.status == 404 { return nil }
        guard answer.status == 200, let json = answer.json, let resource = SCIMResource(json) else {
            throw refusal(answer, "cannot be read")
        }
        return resource
    }

    // MARK: Writing

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        guard abilities.writes else { return .refused(code: "read_only", text: "\(layout.url) is only read") }
        do throws(ScanFailure) {
            let written: Written
            switch change.operation {
            case .create: written = try await create(change, secrets)
            case .modify, .rename: written = try await modify(change, secrets)
            case .delete: written = try await delete(change)
            case .event: return .refused(code: "not_supported", text: "a SCIM service takes no events")
            }
            switch written {
            case .success(let answer): return answer
            case .failure(let failure):
                return failure.isOpen
                    ? .unknown(code: failure.code, text: failure.text)
                    : .failed(code: failure.code, text: failure.text)
            }
        } catch {
            return error.isPassing
                ? .failed(code: error.code, text: error.text) : .refused(code: error.code, text: error.text)
        }
    }

    /// The answer, or why the request failed: reads throw, writes are told apart by whether they were sent.
    private typealias Written = Result<WriteAnswer, SCIMClient.Failure>

    private func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, version: String? = nil
    ) async -> Result<SCIMClient.Answer, SCIMClient.Failure> {
        do throws(SCIMClient.Failure) {
            return .success(try await client.send(method, path, body: body, version: version))
        } catch {
            return .failure(error)
        }
    }

    private func answer(to answer: SCIMClient.Answer, _ what: String) -> WriteAnswer {
        let failure = refusal(answer, what)
        // What a broken server did before it broke, nobody knows.
        if answer.status >= 500, answer.status != 501, answer.status != 503 {
            return .unknown(code: failure.code, text: failure.text)
        }
        return failure.isPassing
            ? .failed(code: failure.code, text: failure.text) : .refused(code: failure.code, text: failure.text)
    }

    private func create(_ change: Change, _ secrets: [String: String]) async throws(ScanFailure) -> Written {
        let isGroup = change.target.type == "group"
        var attributes = ChangeEffect.attributes(after: change, of: [:], secrets: secrets)
        let nameAttribute = isGroup ? "displayname" : "username"
        if attributes[nameAttribute] == nil { attributes[nameAttribute] = [change.name] }
        let (json, unknown) = SCIMResource.make(attributes, group: isGroup)
        guard let json else {
            return .success(
                .refused(code: "no_such_attribute", text: "SCIM has no place for '\(unknown ?? "")' as it is"))
        }
        if let there = try await resource(change.target, nil, change.name) {
            return .success(same(change, there, secrets))
        }
        let made: SCIMClient.Answer
        switch await send(.POST, path(change.target), Value.map(json).jsonText) {
        case .success(let answer): made = answer
        case .failure(let failure): return .failure(failure)
        }
        if made.status == 409, let there = try await resource(change.target, nil, change.name) {
            return .success(same(change, there, secrets))
        }
        guard made.status == 201 || made.status == 200 else { return .success(answer(to: made, "does not make it")) }
        guard let value = made.json, let resource = SCIMResource(value) else {
            let found = try await resource(change.target, nil, change.name)
            return .success(.written(anchor: found?.id))
        }
        return .success(.written(anchor: resource.id))
    }

    private func same(_ change: Change, _ there: SCIMResource, _ secrets: [String: String]) -> WriteAnswer {
        ChangeEffect.isDone(change, in: there.object(change.target), secrets: secrets)
            ? .alreadySo(anchor: there.id)
            : .refused(code: "exists", text: "\(layout.url): '\(change.name)' is there and is another one")
    }

    private func modify(_ change: Change, _ secrets: [String: String]) async throws(ScanFailure) -> Written {
        for _ in 0..<3 {
            guard let there = try await resource(change.target, change.anchor, change.name) else {
                return .success(.refused(code: "no_such_object", text: "\(layout.url): '\(change.name)' is not there"))
            }
            let object = there.object(change.target)
            let hasSecret = change.edits.contains { secrets[$0.attribute] != nil }
            if !hasSecret, ChangeEffect.isDone(change, in: object, secrets: secrets) {
                return .success(.alreadySo(anchor: there.id))
            }
            let body: String
            do throws(SCIMPatch.Refusal) {
                body = try SCIMPatch.body(change, secrets: secrets, before: object.attributes)
            } catch {
                return .success(error.answer)
            }
            let place = path(change.target, there.id)
            let sent: SCIMClient.Answer
            switch await send(.PATCH, place, body, version: there.version) {
            case .success(let answer): sent = answer
            case .failure(let failure): return .failure(failure)
            }
            // Somebody else was first: the next round looks at what it is now.
            if sent.status == 412 { continue }
            guard sent.status == 200 || sent.status == 204 else {
                return .success(answer(to: sent, "does not change it"))
            }
            return .success(try await verify(change, there.id, secrets))
        }
        return .success(
            .failed(
                code: "changed_meanwhile", text: "\(layout.url): '\(change.name)' is changed by others all the time"))
    }

    /// A service that says yes and does otherwise is found out here.
    private func verify(_ change: Change, _ id: String, _ secrets: [String: String]) async throws(ScanFailure)
        -> WriteAnswer
    {
        guard let now = try await resource(change.target, id, change.name) else {
            return .refused(code: "no_such_object", text: "\(layout.url): '\(change.name)' went away")
        }
        guard ChangeEffect.isDone(change, in: now.object(change.target), secrets: secrets) else {
            return .refused(
                code: "not_done", text: "\(layout.url) took the change of '\(change.name)' and did not make it")
        }
        return .written(anchor: id)
    }

    private func delete(_ change: Change) async throws(ScanFailure) -> Written {
        var id = change.anchor
        if id == nil { id = try await resource(change.target, nil, change.name)?.id }
        guard let id else { return .success(.alreadySo(anchor: nil)) }
        switch await send(.DELETE, path(change.target, id)) {
        case .failure(let failure): return .failure(failure)
        case .success(let sent):
            switch sent.status {
            case 200, 204: return .success(.written(anchor: id))
            case 404: return .success(.alreadySo(anchor: id))
            default: return .success(answer(to: sent, "does not delete it"))
            }
        }
    }
}
