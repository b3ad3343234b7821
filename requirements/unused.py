"""Names that nothing in medattn reads, and who does: `make lint` lets vulture find no other (its own whitelist format)."""

# pydantic
_.model_config
# getattr over all conditions, in Conditions.asked
_.no_image, _.rotation, _.shuffled_image, _.occlude_region, _.occlude_elsewhere
# click calls these methods of a group, and hands each its context
_.list_commands, _.get_command, _.format_commands, ctx
# an annotation that is text, since the import would load transformers
PreTrainedTokenizerBase
# the tokenizers library, when it tokenizes
_.normalizer, _.pre_tokenizer, _.add_bos_token
# gzip and zip write them into the archive's head
_.mtime, _.compress_type
# pydicom writes these elements of a drawn DICOM file
_.SOPClassUID, _.SOPInstanceUID, _.MediaStorageSOPClassUID, _.MediaStorageSOPInstanceUID
_.StudyInstanceUID, _.SeriesInstanceUID
_.PatientID, _.PatientName, _.StudyID, _.StudyDate, _.StudyTime, _.Modality, _.ViewPosition, _.Columns
_.BitsAllocated, _.BitsStored, _.HighBit, _.PixelRepresentation, _.WindowCenter, _.WindowWidth
# fields of a named tuple that is unpacked where it is used
_.lows
# PyYAML, when it reads and writes
_.yaml_implicit_resolvers, _.ignore_aliases
# keys of a model's config.json, checked and then read by transformers
_.max_position_embeddings, _.query_pre_attn_scalar, _.rms_norm_eps, _.layer_norm_eps, _.final_logit_softcapping
_.use_bidirectional_attention, _.num_channels
# stored with the captures as a dictionary
_.difference, _.blind_layers
