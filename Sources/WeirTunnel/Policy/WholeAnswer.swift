internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import WeirCalls
internal import WeirGates
internal import WeirWorld

/// The whole body of a 200 within one limit of time. The HTTP client's own limit ends with the head of an answer, so a
/// server that then says nothing more would hold its asker for ever.
enum WholeAnswer {
    /// Why there is none, as a sentence that says who did what.
    struct Trouble: Error, Sendable, Hashable {
        var sentence: String
    }

    /// - Parameter most: bytes; a longer answer is none.
    static func to(
        _ request: HTTPClientRequest, by http: HTTPClient, most: Int, within limit: Duration, _ time: any TimeSource
    ) async throws(Trouble) -> [UInt8] {
        let peer = name(of: request.url)
        do {
            let body = try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
                group.addTask {
                    let answer = try await http.execute(request, deadline: .distantFuture)
                    guard answer.status == .ok else {
                        throw Trouble(sentence: "\(peer) answered \(answer.status.code).")
                    }
                    return try await answer.body.collect(upTo: most)
                }
                group.addTask {
                    try await time.sleep(for: limit)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            guard let body else {
                throw Trouble(sentence: "\(peer) did not answer within \(limit.shortText).")
            }
            return Array(body.readableBytesView)
        } catch let trouble as Trouble {
            throw trouble
        } catch is NIOTooManyBytesError {
            throw Trouble(sentence: "\(peer) answered with more than \(most >> 10) KiB.")
        } catch {
            throw Trouble(sentence: HTTPReason.of(error, peer: peer).sentence)
        }
    }

    /// An address without what may be secret in it: credentials and query.
    private static func name(of url: String) -> String {
        let plain = url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = plain.firstRange(of: "://"),
            let at = plain[scheme.upperBound...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
        else { return String(plain) }
        return String(plain[..<scheme.upperBound] + plain[plain.index(after: at)...])
    }
}
