"""Information elements: what the fields of NetFlow v9 and IPFIX records are called, and what their octets mean.

Numbers, names and abstract types are IANA's (https://www.iana.org/assignments/ipfix, RFC 7012). Those below 128 mean
the same in NetFlow v9 (RFC 3954); v9 has no enterprises, so that vendors use high numbers there as they please.
"""

from ipaddress import IPv4Address, IPv6Address
from struct import unpack
from typing import NamedTuple

IANA = 0  # the enterprise of standard elements
REVERSE = 29305  # of the same, seen from the other end, RFC 5103 section 6.1

Value = int | float | bool | str | bytes | IPv4Address | IPv6Address


class Element(NamedTuple):
    """name: IANA's, ``enterprise.number`` of others. kind: u1 to u8, i4, f8, bool, mac, v4, v6, text, octets;
    s, ms: since 1970; us, ns: NTP's format.
    """

    name: str
    kind: str


_REGISTERED = """
1 octetDeltaCount u8, 2 packetDeltaCount u8, 3 deltaFlowCount u8, 4 protocolIdentifier u1, 5 ipClassOfService u1,
6 tcpControlBits u2, 7 sourceTransportPort u2, 8 sourceIPv4Address v4, 9 sourceIPv4PrefixLength u1,
10 ingressInterface u4, 11 destinationTransportPort u2, 12 destinationIPv4Address v4,
13 destinationIPv4PrefixLength u1, 14 egressInterface u4, 15 ipNextHopIPv4Address v4, 16 bgpSourceAsNumber u4,
17 bgpDestinationAsNumber u4, 18 bgpNextHopIPv4Address v4, 19 postMCastPacketDeltaCount u8,
20 postMCastOctetDeltaCount u8, 21 flowEndSysUpTime u4, 22 flowStartSysUpTime u4, 23 postOctetDeltaCount u8,
24 postPacketDeltaCount u8, 25 minimumIpTotalLength u8, 26 maximumIpTotalLength u8, 27 sourceIPv6Address v6,
28 destinationIPv6Address v6, 29 sourceIPv6PrefixLength u1, 30 destinationIPv6PrefixLength u1, 31 flowLabelIPv6 u4,
32 icmpTypeCodeIPv4 u2, 33 igmpType u1, 34 samplingInterval u4, 35 samplingAlgorithm u1, 36 flowActiveTimeout u2,
37 flowIdleTimeout u2, 38 engineType u1, 39 engineId u1, 40 exportedOctetTotalCount u8,
41 exportedMessageTotalCount u8, 42 exportedFlowRecordTotalCount u8, 43 ipv4RouterSc v4, 44 sourceIPv4Prefix v4,
45 destinationIPv4Prefix v4, 46 mplsTopLabelType u1, 47 mplsTopLabelIPv4Address v4, 48 samplerId u1,
49 samplerMode u1, 50 samplerRandomInterval u4, 51 classId u1, 52 minimumTTL u1, 53 maximumTTL u1,
54 fragmentIdentification u4, 55 postIpClassOfService u1, 56 sourceMacAddress mac, 57 postDestinationMacAddress mac,
58 vlanId u2, 59 postVlanId u2, 60 ipVersion u1, 61 flowDirection u1, 62 ipNextHopIPv6Address v6,
63 bgpNextHopIPv6Address v6, 64 ipv6ExtensionHeaders u4, 70 mplsTopLabelStackSection octets,
71 mplsLabelStackSection2 octets, 72 mplsLabelStackSection3 octets, 73 mplsLabelStackSection4 octets,
74 mplsLabelStackSection5 octets, 75 mplsLabelStackSection6 octets, 76 mplsLabelStackSection7 octets,
77 mplsLabelStackSection8 octets, 78 mplsLabelStackSection9 octets, 79 mplsLabelStackSection10 octets,
80 destinationMacAddress mac, 81 postSourceMacAddress mac, 82 interfaceName text, 83 interfaceDescription text,
84 samplerName text, 85 octetTotalCount u8, 86 packetTotalCount u8, 87 flagsAndSamplerId u4, 88 fragmentOffset u2,
89 forwardingStatus u4, 90 mplsVpnRouteDistinguisher octets, 91 mplsTopLabelPrefixLength u1, 92 srcTrafficIndex u4,
93 dstTrafficIndex u4, 94 applicationDescription text, 95 applicationId octets, 96 applicationName text,
98 postIpDiffServCodePoint u1, 99 multicastReplicationFactor u4, 100 className text, 101 classificationEngineId u1,
102 layer2packetSectionOffset u2, 103 layer2packetSectionSize u2, 104 layer2packetSectionData octets,
128 bgpNextAdjacentAsNumber u4, 129 bgpPrevAdjacentAsNumber u4, 130 exporterIPv4Address v4,
131 exporterIPv6Address v6, 132 droppedOctetDeltaCount u8, 133 droppedPacketDeltaCount u8,
134 droppedOctetTotalCount u8, 135 droppedPacketTotalCount u8, 136 flowEndReason u1, 137 commonPropertiesId u8,
138 observationPointId u8, 139 icmpTypeCodeIPv6 u2, 140 mplsTopLabelIPv6Address v6, 141 lineCardId u4, 142 portId u4,
143 meteringProcessId u4, 144 exportingProcessId u4, 145 templateId u2, 146 wlanChannelId u1, 147 wlanSSID text,
148 flowId u8, 149 observationDomainId u4, 150 flowStartSeconds s, 151 flowEndSeconds s,
152 flowStartMilliseconds ms, 153 flowEndMilliseconds ms, 154 flowStartMicroseconds us, 155 flowEndMicroseconds us,
156 flowStartNanoseconds ns, 157 flowEndNanoseconds ns, 158 flowStartDeltaMicroseconds u4,
159 flowEndDeltaMicroseconds u4, 160 systemInitTimeMilliseconds ms, 161 flowDurationMilliseconds u4,
162 flowDurationMicroseconds u4, 163 observedFlowTotalCount u8, 164 ignoredPacketTotalCount u8,
165 ignoredOctetTotalCount u8, 166 notSentFlowTotalCount u8, 167 notSentPacketTotalCount u8,
168 notSentOctetTotalCount u8, 169 destinationIPv6Prefix v6, 170 sourceIPv6Prefix v6, 171 postOctetTotalCount u8,
172 postPacketTotalCount u8, 173 flowKeyIndicator u8, 174 postMCastPacketTotalCount u8,
175 postMCastOctetTotalCount u8, 176 icmpTypeIPv4 u1, 177 icmpCodeIPv4 u1, 178 icmpTypeIPv6 u1, 179 icmpCodeIPv6 u1,
180 udpSourcePort u2, 181 udpDestinationPort u2, 182 tcpSourcePort u2, 183 tcpDestinationPort u2,
184 tcpSequenceNumber u4, 185 tcpAcknowledgementNumber u4, 186 tcpWindowSize u2, 187 tcpUrgentPointer u2,
188 tcpHeaderLength u1, 189 ipHeaderLength u1, 190 totalLengthIPv4 u2, 191 payloadLengthIPv6 u2, 192 ipTTL u1,
193 nextHeaderIPv6 u1, 194 mplsPayloadLength u4, 195 ipDiffServCodePoint u1, 196 ipPrecedence u1,
197 fragmentFlags u1, 198 octetDeltaSumOfSquares u8, 199 octetTotalSumOfSquares u8, 200 mplsTopLabelTTL u1,
201 mplsLabelStackLength u4, 202 mplsLabelStackDepth u4, 203 mplsTopLabelExp u1, 204 ipPayloadLength u4,
205 udpMessageLength u2, 206 isMulticast u1, 207 ipv4IHL u1, 208 ipv4Options u4, 209 tcpOptions u8,
210 paddingOctets octets, 211 collectorIPv4Address v4, 212 collectorIPv6Address v6, 213 exportInterface u4,
214 exportProtocolVersion u1, 215 exportTransportProtocol u1, 216 collectorTransportPort u2,
217 exporterTransportPort u2, 218 tcpSynTotalCount u8, 219 tcpFinTotalCount u8, 220 tcpRstTotalCount u8,
221 tcpPshTotalCount u8, 222 tcpAckTotalCount u8, 223 tcpUrgTotalCount u8, 224 ipTotalLength u8,
225 postNATSourceIPv4Address v4, 226 postNATDestinationIPv4Address v4, 227 postNAPTSourceTransportPort u2,
228 postNAPTDestinationTransportPort u2, 229 natOriginatingAddressRealm u1, 230 natEvent u1, 231 initiatorOctets u8,
232 responderOctets u8, 233 firewallEvent u1, 234 ingressVRFID u4, 235 egressVRFID u4, 236 VRFname text,
237 postMplsTopLabelExp u1, 238 tcpWindowScale u2, 239 biflowDirection u1, 240 ethernetHeaderLength u1,
241 ethernetPayloadLength u2, 242 ethernetTotalLength u2, 243 dot1qVlanId u2, 244 dot1qPriority u1,
245 dot1qCustomerVlanId u2, 246 dot1qCustomerPriority u1, 247 metroEvcId text, 248 metroEvcType u1,
249 pseudoWireId u4, 250 pseudoWireType u2, 251 pseudoWireControlWord u4, 252 ingressPhysicalInterface u4,
253 egressPhysicalInterface u4, 254 postDot1qVlanId u2, 255 postDot1qCustomerVlanId u2, 256 ethernetType u2,
257 postIpPrecedence u1, 258 collectionTimeMilliseconds ms, 259 exportSctpStreamId u2, 260 maxExportSeconds s,
261 maxFlowEndSeconds s, 262 messageMD5Checksum octets, 263 messageScope u1, 264 minExportSeconds s,
265 minFlowStartSeconds s, 266 opaqueOctets octets, 267 sessionScope u1, 268 maxFlowEndMicroseconds us,
269 maxFlowEndMilliseconds ms, 270 maxFlowEndNanoseconds ns, 271 minFlowStartMicroseconds us,
272 minFlowStartMilliseconds ms, 273 minFlowStartNanoseconds ns, 274 collectorCertificate octets,
275 exporterCertificate octets, 276 dataRecordsReliability bool, 277 observationPointType u1,
278 connectionCountNew u4, 279 connectionSumDurationSeconds u8, 280 connectionTransactionId u8,
281 postNATSourceIPv6Address v6, 282 postNATDestinationIPv6Address v6, 283 natPoolId u4, 284 natPoolName text,
285 anonymizationFlags u2, 286 anonymizationTechnique u2, 287 informationElementIndex u2, 288 p2pTechnology text,
289 tunnelTechnology text, 290 encryptedTechnology text, 291 basicList octets, 292 subTemplateList octets,
293 subTemplateMultiList octets, 294 bgpValidityState u1, 295 IPSecSPI u4, 296 greKey u4, 297 natType u1,
298 initiatorPackets u8, 299 responderPackets u8, 300 observationDomainName text, 301 selectionSequenceId u8,
302 selectorId u8, 303 informationElementId u2, 304 selectorAlgorithm u2, 305 samplingPacketInterval u4,
306 samplingPacketSpace u4, 307 samplingTimeInterval u4, 308 samplingTimeSpace u4, 309 samplingSize u4,
310 samplingPopulation u4, 311 samplingProbability f8, 312 dataLinkFrameSize u2, 313 ipHeaderPacketSection octets,
314 ipPayloadPacketSection octets, 315 dataLinkFrameSection octets, 316 mplsLabelStackSection octets,
317 mplsPayloadPacketSection octets, 318 selectorIdTotalPktsObserved u8, 319 selectorIdTotalPktsSelected u8,
320 absoluteError f8, 321 relativeError f8, 322 observationTimeSeconds s, 323 observationTimeMilliseconds ms,
324 observationTimeMicroseconds us, 325 observationTimeNanoseconds ns, 326 digestHashValue u8,
327 hashIPPayloadOffset u8, 328 hashIPPayloadSize u8, 329 hashOutputRangeMin u8, 330 hashOutputRangeMax u8,
331 hashSelectedRangeMin u8, 332 hashSelectedRangeMax u8, 333 hashDigestOutput bool, 334 hashInitialiserValue u8,
335 selectorName text, 336 upperCILimit f8, 337 lowerCILimit f8, 338 confidenceLevel f8,
339 informationElementDataType u1, 340 informationElementDescription text, 341 informationElementName text,
342 informationElementRangeBegin u8, 343 informationElementRangeEnd u8, 344 informationElementSemantics u1,
345 informationElementUnits u2, 346 privateEnterpriseNumber u4, 347 virtualStationInterfaceId octets,
348 virtualStationInterfaceName text, 349 virtualStationUUID octets, 350 virtualStationName text,
351 layer2SegmentId u8, 352 layer2OctetDeltaCount u8, 353 layer2OctetTotalCount u8,
354 ingressUnicastPacketTotalCount u8, 355 ingressMulticastPacketTotalCount u8,
356 ingressBroadcastPacketTotalCount u8, 357 egressUnicastPacketTotalCount u8,
358 egressBroadcastPacketTotalCount u8, 359 monitoringIntervalStartMilliSeconds ms,
360 monitoringIntervalEndMilliSeconds ms, 361 portRangeStart u2, 362 portRangeEnd u2, 363 portRangeStepSize u2,
364 portRangeNumPorts u2, 365 staMacAddress mac, 366 staIPv4Address v4, 367 wtpMacAddress mac,
368 ingressInterfaceType u4, 369 egressInterfaceType u4, 370 rtpSequenceNumber u2, 371 userName text,
372 applicationCategoryName text, 373 applicationSubCategoryName text, 374 applicationGroupName text,
375 originalFlowsPresent u8, 376 originalFlowsInitiated u8, 377 originalFlowsCompleted u8,
378 distinctCountOfSourceIPAddress u8, 379 distinctCountOfDestinationIPAddress u8,
380 distinctCountOfSourceIPv4Address u4, 381 distinctCountOfDestinationIPv4Address u4,
382 distinctCountOfSourceIPv6Address u8, 383 distinctCountOfDestinationIPv6Address u8,
384 valueDistributionMethod u1, 385 rfc3550JitterMilliseconds u4, 386 rfc3550JitterMicroseconds u4,
387 rfc3550JitterNanoseconds u4, 388 dot1qDEI bool, 389 dot1qCustomerDEI bool, 390 flowSelectorAlgorithm u2,
391 flowSelectedOctetDeltaCount u8, 392 flowSelectedPacketDeltaCount u8, 393 flowSelectedFlowDeltaCount u8,
394 selectorIDTotalFlowsObserved u8, 395 selectorIDTotalFlowsSelected u8, 396 samplingFlowInterval u8,
397 samplingFlowSpacing u8, 398 flowSamplingTimeInterval u8, 399 flowSamplingTimeSpacing u8, 400 hashFlowDomain u2,
401 transportOctetDeltaCount u8, 402 transportPacketDeltaCount u8, 403 originalExporterIPv4Address v4,
404 originalExporterIPv6Address v6, 405 originalObservationDomainId u4, 406 intermediateProcessId u4,
407 ignoredDataRecordTotalCount u8, 408 dataLinkFrameType u2, 409 sectionOffset u2, 410 sectionExportedOctets u2,
411 dot1qServiceInstanceTag octets, 412 dot1qServiceInstanceId u4, 413 dot1qServiceInstancePriority u1,
414 dot1qCustomerSourceMacAddress mac, 415 dot1qCustomerDestinationMacAddress mac, 417 postLayer2OctetDeltaCount u8,
418 postMCastLayer2OctetDeltaCount u8, 420 postLayer2OctetTotalCount u8, 421 postMCastLayer2OctetTotalCount u8,
422 minimumLayer2TotalLength u8, 423 maximumLayer2TotalLength u8, 424 droppedLayer2OctetDeltaCount u8,
425 droppedLayer2OctetTotalCount u8, 426 ignoredLayer2OctetTotalCount u8, 427 notSentLayer2OctetTotalCount u8,
428 layer2OctetDeltaSumOfSquares u8, 429 layer2OctetTotalSumOfSquares u8, 430 layer2FrameDeltaCount u8,
431 layer2FrameTotalCount u8, 432 pseudoWireDestinationIPv4Address v4, 433 ignoredLayer2FrameTotalCount u8,
434 mibObjectValueInteger i4, 435 mibObjectValueOctetString octets, 436 mibObjectValueOID octets,
437 mibObjectValueBits octets, 438 mibObjectValueIPAddress v4, 439 mibObjectValueCounter u8,
440 mibObjectValueGauge u4, 441 mibObjectValueTimeTicks u4, 442 mibObjectValueUnsigned u4,
443 mibObjectValueTable octets, 444 mibObjectValueRow octets, 445 mibObjectIdentifier octets,
446 mibSubIdentifier u4, 447 mibIndexIndicator u8, 448 mibCaptureTimeSemantics u1, 449 mibContextEngineID octets,
450 mibContextName text, 451 mibObjectName text, 452 mibObjectDescription text, 453 mibObjectSyntax text,
454 mibModuleName text, 455 mobileIMSI text, 456 mobileMSISDN text, 457 httpStatusCode u2,
458 sourceTransportPortsLimit u2, 459 httpRequestMethod text, 460 httpRequestHost text, 461 httpRequestTarget text,
462 httpMessageVersion text, 463 natInstanceID u4, 464 internalAddressRealm octets, 465 externalAddressRealm octets,
466 natQuotaExceededEvent u4, 467 natThresholdEvent u4, 468 httpUserAgent text, 469 httpContentType text,
470 httpReasonPhrase text, 471 maxSessionEntries u4, 472 maxBIBEntries u4, 473 maxEntriesPerUser u4,
474 maxSubscribers u4, 475 maxFragmentsPendingReassembly u4, 476 addressPoolHighThreshold u4,
477 addressPoolLowThreshold u4, 478 addressPortMappingHighThreshold u4, 479 addressPortMappingLowThreshold u4,
480 addressPortMappingPerUserHighThreshold u4, 481 globalAddressMappingHighThreshold u4, 482 vpnIdentifier octets,
483 bgpCommunity u4, 484 bgpSourceCommunityList octets, 485 bgpDestinationCommunityList octets,
486 bgpExtendedCommunity octets, 487 bgpSourceExtendedCommunityList octets,
488 bgpDestinationExtendedCommunityList octets, 489 bgpLargeCommunity octets, 490 bgpSourceLargeCommunityList octets,
491 bgpDestinationLargeCommunityList octets, 492 srhFlagsIPv6 u1, 493 srhTagIPv6 u2, 494 srhSegmentIPv6 v6,
495 srhActiveSegmentIPv6 v6, 496 srhSegmentIPv6BasicList octets, 497 srhSegmentIPv6ListSection octets,
498 srhSegmentsIPv6Left u1, 499 srhIPv6Section octets, 500 srhIPv6ActiveSegmentType u1,
501 srhSegmentIPv6LocatorLength u1, 502 srhSegmentIPv6EndpointBehavior u2
"""
_ELEMENTS = {
    int(number): Element(name, kind) for number, name, kind in (each.split() for each in _REGISTERED.split(","))
}
_ADDRESSES: dict[str, tuple[int, type[IPv4Address | IPv6Address]]] = {"v4": (4, IPv4Address), "v6": (16, IPv6Address)}
_NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970


def element(enterprise: int, number: int) -> Element:
    """What a field is; one that nobody registered is octets under its number."""
    known = _ELEMENTS.get(number)
    if known and enterprise == IANA:
        return known
    if known and enterprise == REVERSE:
        return Element(f"reverse{known.name[0].upper()}{known.name[1:]}", known.kind)
    return Element(f"{enterprise}.{number}", "octets")


def value(kind: str, octets: bytes) -> Value:
    """What octets of this kind say; as they are where their number does not fit the kind (RFC 7011 section 6.2).

    us, ns: as microseconds and nanoseconds since 1970.
    """
    if kind in _ADDRESSES:
        length, address = _ADDRESSES[kind]
        return address(octets) if len(octets) == length else octets
    if kind[0] in "ui" and kind[1] in "1248":
        return int.from_bytes(octets, "big", signed=kind[0] == "i") if 0 < len(octets) <= 8 else octets
    if kind in ("s", "ms") and 0 < len(octets) <= 8:
        return int.from_bytes(octets, "big")
    if kind in ("us", "ns") and len(octets) == 8:
        return _ntp(octets, 10**6 if kind == "us" else 10**9)
    if kind[0] == "f" and len(octets) in (4, 8):
        return float(unpack(">f" if len(octets) == 4 else ">d", octets)[0])
    if kind == "bool" and len(octets) == 1:
        return octets == b"\x01"
    if kind == "text":
        return octets.rstrip(b"\0").decode(errors="replace")
    return octets


def _ntp(octets: bytes, parts: int) -> int:
    """RFC 7011 section 6.1.9; what would be before 1968 is after 2036 (RFC 4330 section 3)."""
    seconds, fraction = unpack(">II", octets)
    seconds += 0 if seconds >= 1 << 31 else 1 << 32
    return (seconds - _NTP_TO_UNIX) * parts + (fraction * parts >> 32)
